// Where the reader is: the address below /admin, which is all the state that a link carries.

import { signal } from './parts/html.js'

const BASE = '/admin'

const read = () => ({
  path: location.pathname.slice(BASE.length).replace(/\/+$/, '') || '/',
  query: new URLSearchParams(location.search)
})

/** The place that is shown: `{path, query}`, path without /admin. */
export const place = signal(read())

/** Returns the address of a path of the console. */
export const href = (path) => BASE + (path === '/' ? '' : path)

/** Goes to a path of the console; the former place stays in the history unless `replace`. */
export function go(path, { replace = false } = {}) {
  history[replace ? 'replaceState' : 'pushState'](null, '', href(path))
  place.value = read()
}

/** Changes members of the query; an empty value takes one away. */
export function setQuery(changes, { replace = true } = {}) {
  const query = new URLSearchParams(place.value.query)
  for (const [name, value] of Object.entries(changes)) {
    if (value) query.set(name, value)
    else query.delete(name)
  }
  const text = query.toString()
  go(place.value.path + (text ? `?${text}` : ''), { replace })
}

/** Takes a one-time token out of the address, so that it is in no history and no screenshot. */
export function takeToken() {
  const found = /^#(setup|reset)=([\w-]+)$/.exec(location.hash)
  if (!found) return null
  history.replaceState(null, '', location.pathname + location.search)
  return { kind: found[1], token: found[2] }
}

const isPlain = (event) =>
  event.button === 0 && !event.metaKey && !event.ctrlKey && !event.shiftKey && !event.altKey

/** Follows links within the console without asking for the page again. */
export function followLinks() {
  addEventListener('popstate', () => { place.value = read() })
  document.addEventListener('click', (event) => {
    const link = event.target.closest?.('a[href]')
    if (!link || event.defaultPrevented || !isPlain(event)) return
    if (link.target || link.hasAttribute('download') || link.origin !== location.origin) return
    const isOurs = link.pathname === BASE || link.pathname.startsWith(`${BASE}/`)
    if (!isOurs || link.getAttribute('href').startsWith('#')) return
    event.preventDefault()
    go(link.pathname.slice(BASE.length) + link.search)
  })
}

// The frame of every page: a heading that takes the focus, what it is about, its deeds.

import { html, useEffect, useRef } from './html.js'
import { Problem } from './problem.js'
import { t } from '../text/text.js'

let isFirst = true

/**
 * Has the heading take the focus when what had it is gone, as a row that was dealt with: whoever works by the
 * keyboard would begin at the top of the document again.
 */
function useKeptFocus(heading) {
  useEffect(() => {
    let last = null
    const note = (event) => { last = event.target }
    const look = () => {
      if (!last || last.isConnected || document.activeElement !== document.body) return
      last = null
      heading.current?.focus({ preventScroll: true })
    }
    // Once more a moment later: a dialog that closes gives the focus back only then, perhaps to what is gone.
    const watch = new MutationObserver(() => {
      look()
      setTimeout(look, 100)
    })
    addEventListener('focusin', note)
    watch.observe(document.body, { childList: true, subtree: true })
    return () => {
      removeEventListener('focusin', note)
      watch.disconnect()
    }
  }, [])
}

/** A page; `actions` stand beside its heading. */
export function Page({ title, lead, actions, children }) {
  const heading = useRef(null)
  useKeptFocus(heading)
  useEffect(() => {
    // On the first page the browser's own order stands; after that whoever went on is taken along.
    if (!isFirst && !document.querySelector('dialog[open]')) heading.current.focus({ preventScroll: true })
    isFirst = false
    scrollTo(0, 0)
  }, [])
  useEffect(() => { document.title = `${title} · PatchProof` }, [title])
  return html`<article class="page">
    <header class="head"><div><h1 tabindex="-1" ref=${heading}>${title}</h1>
      ${lead && html`<p class="lead">${lead}</p>`}</div>
      ${actions && html`<div class="actions">${actions}</div>`}</header>
    ${children}
  </article>`
}

/** Shows what was read, or why not, or that it is on its way. */
export function Loaded({ state, children }) {
  if (state.error && state.data === undefined) return html`<${Problem} error=${state.error} retry=${state.reload} />`
  if (state.data === undefined) return html`<p class="loading" role="status">${t('loading')}</p>`
  return html`<div class=${state.isLoading ? 'stale' : ''} aria-busy=${Boolean(state.isLoading)}>
    ${state.error && html`<${Problem} error=${state.error} retry=${state.reload} />`}${children(state.data)}</div>`
}

/** A part of a page with its heading. */
export function Section({ title, note, actions, children }) {
  return html`<section class="card"><header><h2>${title}</h2>${actions && html`<div class="actions">${actions}</div>`}</header>
    ${note && html`<p class="note">${note}</p>`}${children}</section>`
}

/** Names and values: `items` are pairs; what is undefined is left out. */
export function Facts({ items }) {
  return html`<dl class="facts">${items.filter(([, value]) => value !== undefined).map(([name, value]) =>
    html`<div><dt>${name}</dt><dd>${value ?? html`<span class="quiet">${t('none')}</span>`}</dd></div>`)}</dl>`
}

/** What stands where nothing is yet: why, and what to do. */
export function Empty({ title, text, children }) {
  return html`<div class="empty"><p class="title">${title}</p><p>${text}</p>${children && html`<p>${children}</p>`}</div>`
}

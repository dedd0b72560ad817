// Begins: the language, who is logged in, then the page that the address names.

import { hasExpired, recognise, session } from './api.js'
import { close as closeStream, open as openStream } from './live.js'
import { effect, html, render, signal, useEffect, useState } from './parts/html.js'
import { Questions } from './parts/dialog.js'
import { Problem } from './parts/problem.js'
import { Shell } from './parts/shell.js'
import { Toasts } from './parts/toast.js'
import { followLinks, go, href, place, takeToken } from './router.js'
import { find, visible } from './routes.js'
import { begin as beginText, language, t } from './text/text.js'
import { Empty, Page } from './parts/page.js'
import { Login, SetUp } from './pages/login.js'

const link = signal(takeToken())
const modules = new Map()

function NotFound() {
  return html`<${Page} title=${t('notFound.title')}><${Empty} title=${t('notFound.what')} text=${t('notFound.text')}>
    <a class="button" href=${href('/')}>${t('notFound.home')}</a><//><//>`
}

/** Shows a page once its file is there; the file stays for the next time. */
function Route({ page, param }) {
  const [loaded, setLoaded] = useState(() => modules.get(page.name))
  const [error, setError] = useState()
  const load = () => page.load().then(
    (module) => {
      modules.set(page.name, module.default)
      setLoaded(() => module.default)
      setError(undefined)
    },
    () => setError({ code: 'UNREACHABLE', status: 0 })
  )
  useEffect(() => { if (!loaded) load() }, [])
  if (error) return html`<${Problem} error=${error} retry=${load} />`
  if (!loaded) return html`<p class="loading" role="status">${t('loading')}</p>`
  return html`<${loaded} param=${param} />`
}

function Inside() {
  const { path } = place.value
  const { page, param } = find(path)
  // The first page that is there for whoever has no overview to read.
  const home = path === '/' && !page.may() ? visible()[0] : undefined
  useEffect(() => { if (home) go(home.path, { replace: true }) }, [home])
  if (home) return null
  if (!page || !page.may()) return html`<${Shell}><${NotFound} /><//>`
  return html`<${Shell} current=${page.under ?? page.name}><${Route} key=${path} page=${page} param=${param} /><//>`
}

function Console() {
  // Every text is written anew when the language changes.
  const spoken = language.value
  const inside = session.value
  const door = () => html`<${Login} expired=${hasExpired.value} />`
  return html`<div class="console" key=${spoken}>
    ${link.value ? html`<${SetUp} link=${link.value} onLeave=${() => { link.value = null }} />` : inside ? html`<${Inside} />` : door()}
    <${Questions} /><${Toasts} /></div>`
}

async function begin() {
  const root = document.getElementById('console')
  // The file of the page is on its way while the server looks who is there.
  find(place.value.path).page?.load().catch(() => {})
  followLinks()
  const [, failure] = await Promise.all([beginText(), recognise().catch((error) => error)])
  root.replaceChildren()
  if (failure) {
    render(html`<main class="plain"><${Problem} error=${failure} retry=${() => location.reload()} /></main>`, root)
    return
  }
  render(html`<${Console} />`, root)
  effect(() => (session.value ? openStream() : closeStream()))
}

begin()

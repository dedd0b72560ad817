// Logging in, and the first account by its one-time link.

import { logIn, logInWithKey, lookAtLink, setUp } from '../api.js'
import { html, useEffect, useRef, useState } from '../parts/html.js'
import { Field, fieldError } from '../parts/form.js'
import { useDeed, useLoad } from '../parts/load.js'
import { Problem } from '../parts/problem.js'
import { exact } from '../parts/time.js'
import { LANGUAGES, language, speak, t } from '../text/text.js'

const LEAST_PASSWORD = 12
const COMMANDS = { setup: 'patchproof admin setup-link', reset: 'patchproof admin reset' }

function Frame({ title, lead, children }) {
  const heading = useRef(null)
  useEffect(() => { document.title = `${title} · PatchProof` }, [title])
  return html`<main class="door"><div class="card">
    <p class="brand"><img src=${new URL('../mark.svg', import.meta.url).pathname} width="28" height="28" alt="" /> PatchProof</p>
    <h1 ref=${heading}>${title}</h1>
    ${lead && html`<p class="lead">${lead}</p>`}
    ${children}</div>
    <div class="languages" role="group" aria-label=${t('language')}>${Object.entries(LANGUAGES).map(([name, text]) =>
      html`<button type="button" lang=${name} aria-pressed=${language.value === name} onClick=${() => speak(name)}>${text}</button>`)}</div>
  </main>`
}

/** What stands where a link was that opens nothing: why, and what to do. */
function Gone({ kind, onLeave }) {
  return html`<${Frame} title=${t('link.gone')} lead=${t('link.gone.text')}>
    <p>${t(`link.gone.${kind}`)}</p>
    <p><code>${COMMANDS[kind]}</code></p>
    <p><button type="button" class="primary wide" autofocus onClick=${onLeave}>${t('link.gone.action')}</button></p><//>`
}

function Choice({ token, isReset, found, onGone, onDone }) {
  const [name, setName] = useState('')
  const [password, setPassword] = useState('')
  const { run, isBusy, error } = useDeed(async () => {
    await setUp(token, isReset ? undefined : name.trim(), password)
    onDone()
  })
  useEffect(() => { if (error?.status === 410) onGone() }, [error])
  const isShort = password.length > 0 && password.length < LEAST_PASSWORD
  const submit = (event) => {
    event.preventDefault()
    if (!isShort) run()
  }
  return html`<${Frame} title=${t(isReset ? 'reset.title' : 'setup.title')} lead=${t(isReset ? 'reset.lead' : 'setup.lead')}>
    <form onSubmit=${submit}>
      <${Problem} error=${error} />
      <${Field} label=${t('login.name')} value=${isReset ? found.name : name} onValue=${setName} required autocomplete="username"
        autofocus=${!isReset} readonly=${isReset} minlength="3" maxlength="64" error=${fieldError(error, 'name')} />
      <${Field} label=${t('login.password')} type="password" value=${password} onValue=${setPassword} required
        autocomplete="new-password" autofocus=${isReset} hint=${t('setup.hint', { n: LEAST_PASSWORD })}
        error=${isShort ? t('setup.short', { n: LEAST_PASSWORD - password.length }) : fieldError(error, 'password')} />
      <button type="submit" class="primary wide" disabled=${isBusy}>${t(isBusy ? 'wait' : isReset ? 'reset.action' : 'setup.action')}</button>
    </form>
    <p class="quiet small">${t('link.until')} <time datetime=${found.expiresAt}>${exact(found.expiresAt)}</time></p><//>`
}

/** A one-time link makes the first account, or sets the password of one that is there; `onLeave` drops it. */
export function SetUp({ link, onLeave }) {
  const [isGone, setGone] = useState(false)
  const { data, error, reload } = useLoad(() => lookAtLink(link.token), [link.token])
  if (isGone || error?.status === 410) return html`<${Gone} kind=${link.kind} onLeave=${onLeave} />`
  if (error) return html`<${Frame} title=${t('login.title')}><${Problem} error=${error} retry=${reload} /><//>`
  if (!data) return html`<${Frame} title=${t('login.title')}><p class="loading" role="status">${t('loading')}</p><//>`
  return html`<${Choice} token=${link.token} isReset=${link.kind === 'reset'} found=${data} onGone=${() => setGone(true)} onDone=${onLeave} />`
}

const isRefused = (error) => error?.status === 401

/** One button for each account of which this browser keeps a key. */
function Keys() {
  const [keys, setKeys] = useState([])
  const [refused, setRefused] = useState(null)
  const first = useRef(null)
  const { run, isBusy, error, clear } = useDeed(async (key) => {
    setRefused(key)
    await logInWithKey(key)
  })
  useEffect(() => { import('../parts/browser-keys.js').then(({ keptKeys }) => keptKeys()).then(setKeys) }, [])
  useEffect(() => {
    // Whoever is typing a name already is not taken away from it.
    const at = document.activeElement
    if (keys.length > 0 && !error && !at?.value) first.current?.focus()
  }, [keys])
  const drop = async () => {
    const { forget } = await import('../parts/browser-keys.js')
    await forget(refused.id)
    setKeys(keys.filter(({ id }) => id !== refused.id))
    clear()
  }
  if (keys.length === 0) return null
  return html`<div class="with-key">
    <${Problem} error=${error} />
    ${isRefused(error) && html`<p><button type="button" onClick=${drop}>${t('login.key.forget')}</button></p>`}
    ${keys.map((key, at) => html`<button type="button" class="primary wide" key=${key.id} ref=${at === 0 ? first : undefined} disabled=${isBusy} onClick=${() => run(key)}>${t(isBusy ? 'wait' : 'login.key', { name: key.name })}</button>`)}
    <p class="quiet small">${t('login.key.more')}</p>
    <p class="or"><span>${t('login.or')}</span></p></div>`
}

/** The door: by a key that this browser keeps, or by name and password. */
export function Login({ expired }) {
  const [name, setName] = useState('')
  const [password, setPassword] = useState('')
  const { run, isBusy, error } = useDeed(() => logIn(name.trim(), password))
  const submit = (event) => {
    event.preventDefault()
    run()
  }
  return html`<${Frame} title=${t('login.title')}>
    ${expired && !error && html`<p class="notice" role="status">${t('login.expired')}</p>`}
    <${Keys} />
    <form onSubmit=${submit}>
      <${Problem} error=${error} />
      <${Field} label=${t('login.name')} value=${name} onValue=${setName} required autocomplete="username" autofocus />
      <${Field} label=${t('login.password')} type="password" value=${password} onValue=${setPassword} required autocomplete="current-password" />
      <button type="submit" class="primary wide" disabled=${isBusy}>${t(isBusy ? 'wait' : 'login.action')}</button>
    </form>
    <p class="quiet small">${t('login.help')} <code>patchproof admin setup-link</code></p><//>`
}

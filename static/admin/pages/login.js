// Logging in, and the first account by its one-time link.

import { logIn, setUp } from '../api.js'
import { html, useEffect, useRef, useState } from '../parts/html.js'
import { Field, fieldError } from '../parts/form.js'
import { useDeed } from '../parts/load.js'
import { Problem } from '../parts/problem.js'
import { LANGUAGES, language, speak, t } from '../text/text.js'

const LEAST_PASSWORD = 12

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

/** A one-time link makes the first account, or sets the password of one that is there. */
function SetUp({ token, isReset }) {
  const [name, setName] = useState('')
  const [password, setPassword] = useState('')
  const { run, isBusy, error } = useDeed(() => setUp(token, isReset ? undefined : name.trim(), password))
  const isShort = password.length > 0 && password.length < LEAST_PASSWORD
  const submit = (event) => {
    event.preventDefault()
    if (!isShort) run()
  }
  return html`<${Frame} title=${t(isReset ? 'reset.title' : 'setup.title')} lead=${t(isReset ? 'reset.lead' : 'setup.lead')}>
    <form onSubmit=${submit}>
      <${Problem} error=${error} />
      ${!isReset && html`<${Field} label=${t('login.name')} value=${name} onValue=${setName} required autocomplete="username" autofocus
        minlength="3" maxlength="64" error=${fieldError(error, 'name')} />`}
      <${Field} label=${t('login.password')} type="password" value=${password} onValue=${setPassword} required
        autocomplete="new-password" hint=${t('setup.hint', { n: LEAST_PASSWORD })}
        error=${isShort ? t('setup.short', { n: LEAST_PASSWORD - password.length }) : fieldError(error, 'password')} />
      <button type="submit" class="primary wide" disabled=${isBusy}>${t(isBusy ? 'wait' : isReset ? 'reset.action' : 'setup.action')}</button>
    </form><//>`
}

/** The door: a login, or the set-up for whoever came by a one-time link. */
export function Login({ link, expired }) {
  const [name, setName] = useState('')
  const [password, setPassword] = useState('')
  const { run, isBusy, error } = useDeed(() => logIn(name.trim(), password))
  if (link) return html`<${SetUp} token=${link.token} isReset=${link.kind === 'reset'} />`
  const submit = (event) => {
    event.preventDefault()
    run()
  }
  return html`<${Frame} title=${t('login.title')}>
    <form onSubmit=${submit}>
      ${expired && !error && html`<p class="notice" role="status">${t('login.expired')}</p>`}
      <${Problem} error=${error} />
      <${Field} label=${t('login.name')} value=${name} onValue=${setName} required autocomplete="username" autofocus />
      <${Field} label=${t('login.password')} type="password" value=${password} onValue=${setPassword} required autocomplete="current-password" />
      <button type="submit" class="primary wide" disabled=${isBusy}>${t(isBusy ? 'wait' : 'login.action')}</button>
    </form>
    <p class="quiet small">${t('login.help')} <code>patchproof admin setup-link</code></p><//>`
}

// One's own account: who one is, the password, the sessions.

import { ask, session } from '../api.js'
import { Field, fieldError } from '../parts/form.js'
import { html, useState } from '../parts/html.js'
import { useDeed } from '../parts/load.js'
import { Facts, Page, Section } from '../parts/page.js'
import { Problem } from '../parts/problem.js'
import { LoginKeys } from '../parts/login-keys.js'
import { Sessions } from '../parts/sessions.js'
import { Code } from '../parts/copy.js'
import { say } from '../parts/toast.js'
import { t } from '../text/text.js'

const LEAST_PASSWORD = 12

function Password() {
  const [old, setOld] = useState('')
  const [fresh, setFresh] = useState('')
  const { run, isBusy, error } = useDeed(async () => {
    await ask('PUT', '/v1/admin/session/password', { json: { old, new: fresh }, isLogin: true })
    setOld('')
    setFresh('')
    say(t('me.password.done'))
  })
  const submit = (event) => {
    event.preventDefault()
    run()
  }
  const isShort = fresh.length > 0 && fresh.length < LEAST_PASSWORD
  return html`<form onSubmit=${submit}><${Problem} error=${error} />
    <input class="unseen" type="text" autocomplete="username" value=${session.value.account.name} readonly tabindex="-1" aria-hidden="true" />
    <${Field} label=${t('me.password.old')} type="password" required autocomplete="current-password" value=${old} onValue=${setOld} error=${fieldError(error, 'old')} />
    <${Field} label=${t('me.password.new')} type="password" required autocomplete="new-password" value=${fresh} onValue=${setFresh} hint=${t('setup.hint', { n: LEAST_PASSWORD })}
      error=${isShort ? t('setup.short', { n: LEAST_PASSWORD - fresh.length }) : fieldError(error, 'new')} />
    <button class="primary" disabled=${isBusy || isShort}>${t('me.password.action')}</button></form>`
}

export default function Me() {
  const { account } = session.value
  return html`<${Page} title=${t('nav.me')} lead=${t('me.lead')}>
    <div class="halves"><${Section} title=${t('me.who')}><${Facts} items=${[
      [t('login.name'), account.name],
      [t('people.role'), html`${t(`role.${account.role}`)}<br /><span class="quiet">${t(`role.${account.role}.text`)}</span>`],
      [t('keys.shop'), account.shop ? html`<${Code} text=${account.shop} what=${t('keys.shop')} />` : undefined]
    ]} /><//>
    <${Section} title=${t('me.password')} note=${t('me.password.note')}><${Password} /><//></div>
    <${Section} title=${t('keys.browser')} note=${t('keys.browser.note')}><${LoginKeys} /><//>
    <${Section} title=${t('sessions')} note=${t('sessions.own')}><${Sessions} /><//>
  <//>`
}

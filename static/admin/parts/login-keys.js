// The keys of one's own account that browsers keep: listed, made here, revoked.

import { ask, get, post, session } from '../api.js'
import { canKeep, forget, keep, keptKeys, makeKey, ownLabel } from './browser-keys.js'
import { Dialog, confirm } from './dialog.js'
import { Field, fieldError } from './form.js'
import { html, useState } from './html.js'
import { useDeed, useLoad } from './load.js'
import { Loaded } from './page.js'
import { Problem } from './problem.js'
import { Table } from './table.js'
import { Time } from './time.js'
import { say } from './toast.js'
import { t } from '../text/text.js'

const ROUTE = '/v1/admin/session/keys'

async function read(signal) {
  const [{ items }, kept] = await Promise.all([get(ROUTE, {}, { signal }), keptKeys()])
  return items.map((item) => ({ ...item, isHere: kept.some(({ id }) => id === item.id) }))
}

/** Has the server know the key first; what cannot be kept then opens nothing. */
async function makeHere(label) {
  const sealed = await makeKey()
  const made = await post(ROUTE, { label, pmcHex: sealed.publicKey })
  try {
    await keep(sealed, made, session.value.account)
  } catch (error) {
    await ask('DELETE', `${ROUTE}/${made.id}`)
    throw error
  }
}

function Maker({ onClose, onDone }) {
  const [label, setLabel] = useState(ownLabel)
  const { run, isBusy, error } = useDeed(async () => {
    await makeHere(label.trim())
    say(t('key.made'))
    onDone()
  })
  const submit = (event) => {
    event.preventDefault()
    run()
  }
  return html`<${Dialog} title=${t('key.make')} onClose=${onClose}><form onSubmit=${submit}>
    <p>${t('key.make.text')}</p>
    <${Problem} error=${error} />
    <${Field} label=${t('key.label')} required maxlength="64" value=${label} onValue=${setLabel} autocomplete="off" error=${fieldError(error, 'label')} />
    <footer class="actions"><button type="button" class="plain" onClick=${onClose}>${t('cancel')}</button>
      <button class="primary" disabled=${isBusy}>${t(isBusy ? 'wait' : 'key.make')}</button></footer></form><//>`
}

const columns = (revoke) => [
  { head: t('key.label'), main: true, cell: (row) => html`${row.label} ${row.isHere && html`<span class="quiet">${t('key.here')}</span>`}` },
  { head: t('key.created'), cell: (row) => html`<${Time} at=${row.createdAt} />` },
  { head: t('sessions.used'), cell: (row) => html`<${Time} at=${row.lastUsedAt} />` },
  { head: t('deeds'), cell: (row) => html`<button type="button" class="small danger" onClick=${() => revoke.run(row)} aria-label=${t('key.revoke.title', { label: row.label })}>${t('key.revoke')}</button>` }
]

async function revokeAfterQuestion(row) {
  const text = t(row.isCurrent ? 'key.revoke.current' : 'key.revoke.text', { label: row.label })
  const isAgreed = await confirm({ title: t('key.revoke.title', { label: row.label }), text, action: t('key.revoke'), danger: true })
  if (!isAgreed) return false
  await ask('DELETE', `${ROUTE}/${row.id}`)
  if (row.isHere) await forget(row.id)
  say(t('key.revoked'))
  if (row.isCurrent) session.value = null
  return !row.isCurrent
}

/** Says why no key can be made here, if none can. */
function reason(items) {
  if (!canKeep()) return t('key.insecure')
  if (items.some(({ isHere }) => isHere)) return t('key.enough')
  return session.value.method.endsWith('key') ? t('key.password') : undefined
}

/** The list of them, and the way to another. */
export function LoginKeys() {
  const [isOpen, setOpen] = useState(false)
  const state = useLoad(read, [], ['session'])
  const revoke = useDeed(async (row) => { if (await revokeAfterQuestion(row)) state.reload() })
  const done = () => {
    setOpen(false)
    state.reload()
  }
  return html`<${Problem} error=${revoke.error} /><${Loaded} state=${state}>${(items) => html`
    ${items.length > 0 && html`<${Table} caption=${t('keys.browser')} columns=${columns(revoke)} rows=${items} rowKey=${(row) => row.id} />`}
    <p class="after">${reason(items) ?? html`<button type="button" class="primary" onClick=${() => setOpen(true)}>${t('key.make')}</button>`}</p>`}<//>
    ${isOpen && html`<${Maker} onClose=${() => setOpen(false)} onDone=${done} />`}`
}

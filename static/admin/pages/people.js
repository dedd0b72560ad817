// People: who may log in, as what, and the sessions that are open.

import { ask, get, post, session } from '../api.js'
import { CopyButton } from '../parts/copy.js'
import { Dialog, confirm } from '../parts/dialog.js'
import { Field, Select, fieldError } from '../parts/form.js'
import { html, useState } from '../parts/html.js'
import { useDeed, useLoad } from '../parts/load.js'
import { Empty, Loaded, Page, Section } from '../parts/page.js'
import { Problem } from '../parts/problem.js'
import { Sessions } from '../parts/sessions.js'
import { Stage } from '../parts/stage.js'
import { Pager, Table } from '../parts/table.js'
import { Time } from '../parts/time.js'
import { say } from '../parts/toast.js'
import { place } from '../router.js'
import { t } from '../text/text.js'

const ROLES = ['operator', 'cashier', 'auditor', 'admin']
const path = (account) => `/v1/admin/accounts/${account.id}`
const change = (account, json) => ask('PATCH', path(account), { json })

/** A one-time link, which is shown this once. */
function Link({ link, name, onClose }) {
  return html`<${Dialog} title=${t('people.link', { name })} onClose=${onClose} wide>
    <p>${t('people.link.text', { name })}</p>
    <p class="secret"><code>${link.url}</code><${CopyButton} text=${link.url} what=${t('people.link.what')} /></p>
    <p class="quiet">${t('people.link.until')} <${Time} at=${link.expiresAt} full /></p>
    <footer class="actions"><button type="button" class="primary" onClick=${onClose}>${t('keys.kept')}</button></footer><//>`
}

/** Makes an account, or changes one where it is given. */
function Person({ account, onClose, onDone }) {
  const [name, setName] = useState(account?.name ?? '')
  const [role, setRole] = useState(account?.role ?? ROLES[0])
  const [shop, setShop] = useState(account?.shop ?? '')
  const isCashier = role === 'cashier'
  const { run, isBusy, error } = useDeed(async () => {
    const json = { name: name.trim(), role, ...(isCashier ? { shop: shop.trim() } : {}) }
    if (!account) return onDone(await post('/v1/admin/accounts', json))
    await change(account, json)
    say(t('people.changed', { name: json.name }))
    return onDone()
  })
  const submit = (event) => {
    event.preventDefault()
    run()
  }
  return html`<${Dialog} title=${account ? t('people.change.title', { name: account.name }) : t('people.add')} onClose=${onClose}><form onSubmit=${submit}>
    <${Problem} error=${error} />
    <${Field} label=${t('login.name')} required minlength="3" maxlength="64" value=${name} onValue=${setName} autocomplete="off" error=${fieldError(error, 'name')} />
    <${Select} label=${t('people.role')} value=${role} onValue=${setRole} hint=${t(`role.${role}.text`)} options=${ROLES.map((it) => [it, t(`role.${it}`)])} />
    ${isCashier && html`<${Field} label=${t('keys.shop')} class="mono" required value=${shop} onValue=${setShop} error=${fieldError(error, 'shop')} />`}
    ${account && account.role !== role && html`<p class="notice">${t('people.role.ends')}</p>`}
    <footer class="actions"><button type="button" class="plain" onClick=${onClose}>${t('cancel')}</button>
      <button class="primary" disabled=${isBusy}>${t(account ? 'save' : 'people.add')}</button></footer></form><//>`
}

const Deeds = ({ row, deeds }) => html`<span class="actions">
  <button type="button" class="small" onClick=${() => deeds.edit(row)} aria-label=${t('people.change.title', { name: row.name })}>${t('edit')}</button>
  <button type="button" class="small" onClick=${() => deeds.reset(row)} aria-label=${t('people.reset.title', { name: row.name })}>${t('people.reset')}</button>
  ${row.id !== session.value.account.id && html`<button type="button" class="small" onClick=${() => deeds.toggle(row)}>${t(row.disabled ? 'people.enable' : 'people.disable')}</button>
    <button type="button" class="small danger" onClick=${() => deeds.remove(row)} aria-label=${t('people.remove.title', { name: row.name })}>${t('people.remove')}</button>`}
</span>`

const columns = (deeds) => [
  { head: t('login.name'), main: true, cell: (row) => html`${row.name}${row.id === session.value.account.id && html` <span class="quiet">${t('people.you')}</span>`}` },
  { head: t('people.role'), cell: (row) => html`<span>${t(`role.${row.role}`)}${row.shop && html`<br /><code class="quiet">${row.shop.slice(0, 8)}…</code>`}</span>` },
  { head: t('patch.state'), cell: (row) => html`<${Stage} state=${row.disabled ? 'disabled' : row.hasPassword || row.hasLoginKey ? 'active' : 'invited'} />` },
  { head: t('people.last'), cell: (row) => html`<${Time} at=${row.lastLoginAt} />` },
  { head: t('deeds'), cell: (row) => html`<${Deeds} row=${row} deeds=${deeds} />` }
]

function useDeeds(reload, setLink, setEdited) {
  const work = useDeed(async (deed, row) => {
    await deed(row)
    reload()
  })
  const reset = async (row) => {
    const isAgreed = await confirm({ title: t('people.reset.title', { name: row.name }), text: t('people.reset.text', { name: row.name }), action: t('people.reset') })
    if (isAgreed) setLink({ link: await post(`${path(row)}/reset`), name: row.name })
  }
  const toggle = async (row) => {
    const isAgreed = row.disabled || await confirm({ title: t('people.disable.title', { name: row.name }), text: t('people.disable.text', { name: row.name }), action: t('people.disable'), danger: true })
    if (!isAgreed) return
    await change(row, { disabled: !row.disabled })
    say(t(row.disabled ? 'people.enabled' : 'people.disabled', { name: row.name }), { undo: () => change(row, { disabled: row.disabled }).then(reload) })
  }
  const remove = async (row) => {
    const isAgreed = await confirm({ title: t('people.remove.title', { name: row.name }), text: t('people.remove.text', { name: row.name }), action: t('people.remove'), danger: true, typed: row.name })
    if (!isAgreed) return
    await ask('DELETE', path(row))
    say(t('people.removed', { name: row.name }))
  }
  const runs = (deed) => (row) => work.run(deed, row)
  return { error: work.error, edit: setEdited, reset: runs(reset), toggle: runs(toggle), remove: runs(remove) }
}

export default function People() {
  const cursor = place.value.query.get('cursor') ?? ''
  const [edited, setEdited] = useState(null)
  const [link, setLink] = useState(null)
  const state = useLoad((signal) => get('/v1/admin/accounts', { cursor }, { signal }), [cursor], ['session'])
  const deeds = useDeeds(state.reload, setLink, (row) => setEdited({ account: row }))
  const done = (created) => {
    setEdited(null)
    if (created) setLink({ link: created.link, name: created.account.name })
    state.reload()
  }
  return html`<${Page} title=${t('nav.people')} lead=${t('people.lead')}
      actions=${html`<button type="button" class="primary" onClick=${() => setEdited({})}>${t('people.add')}</button>`}>
    <${Problem} error=${deeds.error} />
    <${Loaded} state=${state}>${({ items, nextCursor }) => items.length === 0
      ? html`<${Empty} title=${t('people.none')} text=${t('people.none.text')} />`
      : html`<${Table} caption=${t('nav.people')} columns=${columns(deeds)} rows=${items} rowKey=${(row) => row.id} /><${Pager} next=${nextCursor} />`}<//>
    <div class="below"><${Section} title=${t('sessions')} note=${t('sessions.all')}><${Sessions} /><//></div>
    ${edited && html`<${Person} account=${edited.account} onClose=${() => setEdited(null)} onDone=${done} />`}
    ${link && html`<${Link} link=${link.link} name=${link.name} onClose=${() => setLink(null)} />`}
  <//>`
}

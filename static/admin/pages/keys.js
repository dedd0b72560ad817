// API keys: made, shown once, rotated, revoked.

import { ask, get, may, post } from '../api.js'
import { Code, CopyButton } from '../parts/copy.js'
import { Dialog, confirm } from '../parts/dialog.js'
import { Checks, Field, Select, fieldError } from '../parts/form.js'
import { html, useState } from '../parts/html.js'
import { useDeed, useLoad } from '../parts/load.js'
import { Empty, Loaded, Page } from '../parts/page.js'
import { Problem } from '../parts/problem.js'
import { Stage } from '../parts/stage.js'
import { Pager, Table } from '../parts/table.js'
import { Time, exact } from '../parts/time.js'
import { say } from '../parts/toast.js'
import { place } from '../router.js'
import { t } from '../text/text.js'

const SCOPES = ['patches:write', 'pos', 'unlock', 'metrics:read', 'utxo:write', 'settings:write', 'keys:write', 'admin']
const DAY_SECS = 86_400
const DAYS = [30, 90, 365, 0]
const GRACE_HOURS = [0, 1, 24, 168]

/** The secret, which is shown this once. */
function Issued({ issued, onClose }) {
  return html`<${Dialog} title=${t('keys.issued')} onClose=${onClose}>
    <p>${t('keys.issued.text')}</p>
    <p class="secret"><code>${issued.key}</code><${CopyButton} text=${issued.key} what=${t('keys.key')} /></p>
    <footer class="actions"><button type="button" class="primary" onClick=${onClose}>${t('keys.kept')}</button></footer><//>`
}

function Make({ onClose, onDone }) {
  const [name, setName] = useState('')
  const [scopes, setScopes] = useState(['patches:write'])
  const [shop, setShop] = useState('')
  const [days, setDays] = useState('365')
  const isPos = scopes.includes('pos')
  const { run, isBusy, error } = useDeed(async () => {
    const expiry = days === '0' ? {} : { expiresInSecs: Number(days) * DAY_SECS }
    onDone(await post('/v1/admin/keys', { name: name.trim(), scopes, ...expiry, ...(isPos && shop.trim() ? { shop: shop.trim() } : {}) }))
  })
  const submit = (event) => {
    event.preventDefault()
    run()
  }
  return html`<${Dialog} title=${t('keys.make')} onClose=${onClose}><form onSubmit=${submit}>
    <${Problem} error=${error} />
    <${Field} label=${t('keys.name')} required maxlength="64" value=${name} onValue=${setName} hint=${t('keys.name.hint')} error=${fieldError(error, 'name')} />
    <${Checks} label=${t('keys.scopes')} values=${scopes} onValues=${setScopes} error=${fieldError(error, 'scopes')}
      options=${SCOPES.filter(may).map((scope) => [scope, html`<code>${scope}</code>`, t(`scope.${scope}`)])} />
    ${isPos && html`<${Field} label=${t('keys.shop')} class="mono" required value=${shop} onValue=${setShop} error=${fieldError(error, 'shop')} />`}
    <${Select} label=${t('keys.expires')} value=${days} onValue=${setDays} options=${DAYS.map((n) => [String(n), n === 0 ? t('keys.never') : t('days', { n })])} />
    <footer class="actions"><button type="button" class="plain" onClick=${onClose}>${t('cancel')}</button>
      <button class="primary" disabled=${isBusy || scopes.length === 0}>${t('keys.make')}</button></footer>
  </form><//>`
}

function Rotate({ row, onClose, onDone }) {
  const [hours, setHours] = useState('1')
  const { run, isBusy, error } = useDeed(async () => onDone(await post(`/v1/admin/keys/${row.id}/rotate`, { graceSecs: Number(hours) * 3600 })))
  const submit = (event) => {
    event.preventDefault()
    run()
  }
  return html`<${Dialog} title=${t('keys.rotate.title', { name: row.name })} onClose=${onClose}><form onSubmit=${submit}>
    <p>${t('keys.rotate.text')}</p><${Problem} error=${error} />
    <${Select} label=${t('keys.grace')} value=${hours} onValue=${setHours} options=${GRACE_HOURS.map((n) => [String(n), n === 0 ? t('keys.grace.none') : t('hours', { n })])} />
    <footer class="actions"><button type="button" class="plain" onClick=${onClose}>${t('cancel')}</button><button class="primary" disabled=${isBusy}>${t('keys.rotate')}</button></footer>
  </form><//>`
}

const columns = (rotate, revoke) => [
  { head: t('keys.name'), main: true, cell: (row) => html`<span>${row.name}</span><br /><${Code} text=${row.id} what=${t('keys.id')} />` },
  { head: t('patch.state'), cell: (row) => html`<${Stage} state=${row.status} />` },
  { head: t('keys.scopes'), cell: (row) => html`<span class="scopes">${row.scopes.map((scope) => html`<code>${scope}</code> `)}</span>` },
  { head: t('keys.used'), cell: (row) => html`<${Time} at=${row.lastUsedAt} />` },
  { head: t('keys.expires'), cell: (row) => row.expiresAt ? html`<${Time} at=${row.expiresAt} />` : t('keys.never') },
  { head: t('deeds'), cell: (row) => row.status === 'active' && may('keys:write') && html`<span class="actions">
    <button type="button" class="small" onClick=${() => rotate(row)} aria-label=${t('keys.rotate.title', { name: row.name })}>${t('keys.rotate')}</button>
    <button type="button" class="small danger" onClick=${() => revoke.run(row)} aria-label=${t('keys.revoke.title', { name: row.name })}>${t('keys.revoke')}</button></span>` }
]

export default function Keys() {
  const cursor = place.value.query.get('cursor') ?? ''
  const [isMaking, setMaking] = useState(false)
  const [rotated, setRotated] = useState(null)
  const [issued, setIssued] = useState(null)
  const state = useLoad((signal) => get('/v1/admin/keys', { cursor }, { signal }), [cursor])
  const revoke = useDeed(async (row) => {
    const used = row.lastUsedAt ? t('keys.revoke.used', { at: exact(row.lastUsedAt) }) : t('keys.revoke.unused')
    const isAgreed = await confirm({ title: t('keys.revoke.title', { name: row.name }), text: `${t('keys.revoke.text')} ${used}`, action: t('keys.revoke'), danger: true })
    if (!isAgreed) return
    await ask('DELETE', `/v1/admin/keys/${row.id}`)
    say(t('keys.revoked', { name: row.name }))
    state.reload()
  })
  const done = (answer) => {
    setMaking(false)
    setRotated(null)
    setIssued(answer)
    state.reload()
  }
  const make = may('keys:write') && html`<button type="button" class="primary" onClick=${() => setMaking(true)}>${t('keys.make')}</button>`
  return html`<${Page} title=${t('nav.keys')} lead=${t('keys.lead')} actions=${make}>
    <${Problem} error=${revoke.error} />
    <${Loaded} state=${state}>${({ items, nextCursor }) => items.length === 0
      ? html`<${Empty} title=${t('keys.none')} text=${t('keys.none.text')} />`
      : html`<${Table} caption=${t('nav.keys')} columns=${columns(setRotated, revoke)} rows=${items} rowKey=${(row) => row.id} /><${Pager} next=${nextCursor} />`}<//>
    ${isMaking && html`<${Make} onClose=${() => setMaking(false)} onDone=${done} />`}
    ${rotated && html`<${Rotate} row=${rotated} onClose=${() => setRotated(null)} onDone=${done} />`}
    ${issued && html`<${Issued} issued=${issued} onClose=${() => setIssued(null)} />`}
  <//>`
}

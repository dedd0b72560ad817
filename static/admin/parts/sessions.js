// Sessions that are open: one's own, or everybody's for whoever looks after people.

import { ask, get, session } from '../api.js'
import { confirm } from './dialog.js'
import { html } from './html.js'
import { useDeed, useLoad } from './load.js'
import { Loaded } from './page.js'
import { Problem } from './problem.js'
import { Table } from './table.js'
import { Time } from './time.js'
import { say } from './toast.js'
import { t, tOr } from '../text/text.js'

const MOST = 200

const columns = (end) => [
  { head: t('login.name'), main: true, cell: (row) => html`${row.accountName} ${row.isCurrent && html`<span class="quiet">${t('sessions.this')}</span>`}` },
  { head: t('sessions.method'), cell: (row) => tOr(`sessions.method.${row.method}`, row.method) },
  { head: t('sessions.began'), cell: (row) => html`<${Time} at=${row.beganAt} />` },
  { head: t('sessions.used'), cell: (row) => html`<${Time} at=${row.usedAt} />` },
  { head: t('sessions.ends'), cell: (row) => html`<${Time} at=${row.expiresAt} />` },
  { head: t('deeds'), cell: (row) => html`<button type="button" class="small" onClick=${() => end.run(row)}>${t('sessions.end')}</button>` }
]

/** The list of them, each with a way to end it. */
export function Sessions() {
  const state = useLoad((signal) => get('/v1/admin/sessions', { limit: MOST }, { signal }), [], ['session'])
  const end = useDeed(async (row) => {
    const text = t(row.isCurrent ? 'sessions.end.this' : 'sessions.end.text', { name: row.accountName })
    const isAgreed = await confirm({ title: t('sessions.end'), text, action: t('sessions.end'), danger: true })
    if (!isAgreed) return
    await ask('DELETE', `/v1/admin/sessions/${row.id}`)
    say(t('sessions.ended'))
    if (row.isCurrent) session.value = null
    else state.reload()
  })
  return html`<${Problem} error=${end.error} /><${Loaded} state=${state}>${({ items }) =>
    html`<${Table} caption=${t('sessions')} columns=${columns(end)} rows=${items} rowKey=${(row) => row.id} />`}<//>`
}

// Every transaction that commits to records, as anybody may list them.

import { get, may, onceKey, post } from '../api.js'
import { Code } from '../parts/copy.js'
import { confirm } from '../parts/dialog.js'
import { Tabs } from '../parts/form.js'
import { html } from '../parts/html.js'
import { useDeed, useLoad } from '../parts/load.js'
import { Empty, Loaded, Page } from '../parts/page.js'
import { Problem } from '../parts/problem.js'
import { Stage } from '../parts/stage.js'
import { Pager, Table } from '../parts/table.js'
import { Time } from '../parts/time.js'
import { say } from '../parts/toast.js'
import { href, place } from '../router.js'
import { number, t, tOr } from '../text/text.js'

const KINDS = ['', 'batch']
const PAGE = 50

const columns = () => [
  { head: t('patch.txid'), main: true, cell: (row) => html`<${Code} text=${row.txid} what=${t('patch.txid')} ends=${10} />` },
  { head: t('anchor.kind'), cell: (row) => tOr(`event.${row.kind}`, row.kind) },
  { head: t('anchor.size'), align: 'number', cell: (row) => number(row.size) },
  { head: t('patch.state'), cell: (row) => html`<${Stage} state=${row.status} />` },
  { head: t('event.block'), align: 'number', cell: (row) => row.block ? number(row.block.height) : html`<span class="quiet">${t('none')}</span>` },
  { head: t('anchor.deep'), align: 'number', cell: (row) => row.block ? number(row.block.confirmations) : html`<span class="quiet">${t('none')}</span>` },
  { head: t('anchor.time'), cell: (row) => html`<${Time} at=${row.block?.time} />` }
]

export default function Anchors() {
  const { query } = place.value
  const kind = query.get('kind') ?? ''
  const cursor = query.get('cursor') ?? ''
  const state = useLoad((signal) => get('/v1/anchors', { kind, cursor, limit: PAGE }, { signal }), [kind, cursor], ['record', 'batch'])
  const batch = useDeed(async () => {
    const isAgreed = await confirm({ title: t('batch.now'), text: t('batch.now.text'), action: t('batch.now') })
    if (!isAgreed) return
    const answer = await post('/v1/admin/batch-anchor', {}, { once: onceKey() })
    say(t('batch.said', { n: answer.processed ?? 0 }))
    state.reload()
  })
  return html`<${Page} title=${t('nav.anchors')} lead=${t('anchors.lead')}
      actions=${may('patches:write') && html`<button type="button" disabled=${batch.isBusy} onClick=${batch.run}>${t('batch.now')}</button>`}>
    <${Problem} error=${batch.error} />
    <${Tabs} label=${t('anchor.kind')} current=${kind} tabs=${KINDS.map((name) => [name, name ? t('anchors.batches') : t('all'), href(name ? `/anchors?kind=${name}` : '/anchors')])} />
    <${Loaded} state=${state}>${({ items, nextCursor }) => items.length === 0
      ? html`<${Empty} title=${t('anchors.none')} text=${t('anchors.none.text')} />`
      : html`<${Table} caption=${t('nav.anchors')} columns=${columns()} rows=${items} rowKey=${(row) => row.txid} /><${Pager} next=${nextCursor} />`}<//>
  <//>`
}

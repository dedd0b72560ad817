// Records that need somebody: held and failed ones first, those on their way beside them.

import { get, may, post } from '../api.js'
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
import { t, tOr } from '../text/text.js'

const STAGES = ['held', 'failed', 'accepted', 'reserved', 'signed', 'seen', 'mined', 'final']
const PAGE = 50

const columns = (retry) => [
  { head: t('patch.tag'), main: true, cell: (row) => row.uid_tag_id
    ? html`<a href=${href(`/patches/${encodeURIComponent(row.uid_tag_id)}`)}>${row.uid_tag_id}</a>` : html`<${Code} text=${row.id} what=${t('record.id')} ends=${6} />` },
  { head: t('record.purpose'), cell: (row) => tOr(`event.${row.purpose}`, row.purpose) },
  { head: t('patch.state'), cell: (row) => html`<${Stage} state=${row.stage} />` },
  { head: t('record.problem'), cell: (row) => row.problem ?? html`<span class="quiet">${t('none')}</span>` },
  { head: t('record.since'), cell: (row) => html`<${Time} at=${row.since} />` },
  { head: t('record.next'), cell: (row) => row.recoverable && may('patches:write')
    ? html`<button type="button" class="small" onClick=${() => retry({ id: row.id })}>${t('record.retry')}</button>`
    : html`<span class="quiet">${row.reason ?? ''}</span>` }
]

export default function Records() {
  const { query } = place.value
  const stage = STAGES.includes(query.get('stage')) ? query.get('stage') : 'held'
  const cursor = query.get('cursor') ?? ''
  const state = useLoad((signal) => get('/v1/admin/records', { stage, cursor, limit: PAGE }, { signal }), [stage, cursor], ['record'])
  const deed = useDeed(async (which) => {
    const plan = await post('/v1/admin/records/recover', { ...which, dryRun: true })
    const n = plan.items.filter(({ recoverable }) => recoverable).length
    const isAgreed = await confirm({ title: t('record.retry'), text: t('record.retry.text', { n }), action: t('record.retry') })
    if (!isAgreed) return
    const { recovered } = await post('/v1/admin/records/recover', which)
    say(t('record.retried', { n: recovered }))
    state.reload()
  })
  const canRetryAll = ['held', 'failed'].includes(stage) && may('patches:write') && state.data?.items.some(({ recoverable }) => recoverable)
  return html`<${Page} title=${t('nav.records')} lead=${t('records.lead')}
      actions=${canRetryAll && html`<button type="button" disabled=${deed.isBusy} onClick=${() => deed.run({ stage })}>${t('record.retry.all')}</button>`}>
    <${Tabs} label=${t('patch.state')} current=${stage} tabs=${STAGES.map((name) => [name, t(`stage.${name}`), href(`/records?stage=${name}`)])} />
    <p class="note">${t(`records.${stage}`)}</p>
    <${Problem} error=${deed.error} />
    <${Loaded} state=${state}>${({ items, nextCursor }) => items.length === 0
      ? html`<${Empty} title=${t('records.none')} text=${t(['held', 'failed'].includes(stage) ? 'records.none.good' : 'records.none.text')} />`
      : html`<${Table} caption=${t('nav.records')} columns=${columns(deed.run)} rows=${items} rowKey=${(row) => row.id} /><${Pager} next=${nextCursor} />`}<//>
  <//>`
}

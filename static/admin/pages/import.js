// One import: what is wrong with each row, then how far it is, then what is left over.

import { ask, get, may, post } from '../api.js'
import { confirm } from '../parts/dialog.js'
import { Tabs } from '../parts/form.js'
import { html } from '../parts/html.js'
import { useDeed, useLoad } from '../parts/load.js'
import { Empty, Loaded, Page } from '../parts/page.js'
import { Problem } from '../parts/problem.js'
import { Stage } from '../parts/stage.js'
import { Pager, Table } from '../parts/table.js'
import { Tile } from '../parts/tile.js'
import { Time } from '../parts/time.js'
import { say } from '../parts/toast.js'
import { go, href, place } from '../router.js'
import { number, t, tOr } from '../text/text.js'
import { KIND } from './imports.js'

const PAGE = 50
const OUTCOMES = ['all', 'error', 'ok', 'registered']
const ROW_KIND = { error: 'bad', ok: 'plain', registered: 'good' }

/** Good rows that were not tried. */
const waitingOf = ({ rows, bad, registered, failed }) => rows - bad - registered - failed
const countOf = (it, outcome) => ({ all: it.rows, error: it.bad + it.failed, ok: waitingOf(it), registered: it.registered })[outcome]

const columns = () => [
  { head: t('patch.tag'), main: true, cell: (row) => row.outcome === 'registered'
    ? html`<a href=${href(`/patches/${encodeURIComponent(row.uid_tag_id)}`)}>${row.uid_tag_id}</a>` : row.uid_tag_id || html`<span class="quiet">${t('none')}</span>` },
  { head: t('import.line'), align: 'number', cell: (row) => number(row.line) },
  { head: t('patch.state'), cell: (row) => html`<${Stage} state=${`row.${row.outcome}`} kind=${ROW_KIND[row.outcome]} />` },
  { head: t('import.problem'), cell: (row) => row.code ? html`<span>${tOr(`row.${row.code}`, row.code)} <span class="quiet wrap">${row.message}</span></span>` : html`<span class="quiet">${t('none')}</span>` }
]

function useDeeds(id, reload) {
  const path = `/v1/admin/imports/${id}`
  const start = useDeed(async ({ rows, bad }) => {
    const n = rows - bad
    const isAgreed = await confirm({ title: t('import.start', { n }), text: t('import.start.text', { n, bad }), action: t('import.start', { n }) })
    if (!isAgreed) return
    await post(`${path}/start${bad > 0 ? '?skipBad=true' : ''}`)
    reload()
  })
  const stop = useDeed(async (it) => {
    const isAgreed = await confirm({ title: t('import.stop'), text: t('import.stop.text', { n: it.registered }), action: t('import.stop'), danger: true })
    if (!isAgreed) return
    await post(`${path}/cancel`)
    reload()
  })
  const forget = useDeed(async (it) => {
    const key = it.state === 'checked' ? 'import.discard' : 'import.forget'
    const isAgreed = await confirm({ title: t(key), text: t(`${key}.text`), action: t(key), danger: true })
    if (!isAgreed) return
    await ask('DELETE', path)
    say(t('import.forgotten'))
    go('/imports')
  })
  return { start, stop, forget }
}

function Deeds({ it, deeds: { start, stop, forget } }) {
  const n = it.rows - it.bad
  const isBusy = start.isBusy || stop.isBusy || forget.isBusy
  const button = (deed, key, kind) => html`<button type="button" class=${kind} disabled=${isBusy} onClick=${() => deed.run(it)}>${t(key, { n })}</button>`
  if (it.state === 'checked') return html`${n > 0 && button(start, 'import.start', 'primary')}${button(forget, 'import.discard', '')}`
  if (it.state === 'running') return button(stop, 'import.stop', 'danger')
  return ['done', 'cancelled'].includes(it.state) && button(forget, 'import.forget', '')
}

/** What happened and what to do next, in a sentence. */
function Next({ it }) {
  const values = { n: it.rows - it.bad, bad: it.bad, left: waitingOf(it), registered: it.registered, failed: it.failed }
  const key = it.state === 'checked' && values.n === 0 ? 'import.next.none' : `import.next.${it.state}`
  return html`<p class="note" role="status">${t(key, values)}</p>`
}

function Files({ it }) {
  const path = `/v1/admin/imports/${it.id}`
  const left = it.bad + it.failed + (it.state === 'cancelled' ? waitingOf(it) : 0)
  if (it.rows === 0 || it.state === 'receiving') return null
  return html`<p class="exports">${left > 0 && html`<a href=${`${path}/leftovers`} download>${t('import.leftovers', { n: left })}</a>`}
    <a href=${`${path}/report`} download>${t('import.report')}</a></p>`
}

function Summary({ it }) {
  return html`<p class="verdict"><${Stage} state=${`import.${it.state}`} kind=${KIND[it.state]} /> <span class="quiet">${t('import.sent')} <${Time} at=${it.createdAt} /></span></p>
    <${Next} it=${it} />
    ${it.state === 'running' && html`<p class="progress"><progress max=${it.rows} value=${it.done} aria-label=${t('import.progress')}></progress>
      <span>${t('import.progress.text', { done: number(it.done), rows: number(it.rows) })}</span></p>`}
    <div class="tiles stages">
      <${Tile} label=${t('import.rows')} value=${number(it.rows)} />
      <${Tile} label=${t('import.bad')} value=${number(it.bad)} kind=${it.bad > 0 ? 'warn' : ''} />
      <${Tile} label=${t('import.waiting')} value=${number(waitingOf(it))} />
      <${Tile} label=${t('import.registered')} value=${number(it.registered)} />
      <${Tile} label=${t('import.failed')} value=${number(it.failed)} kind=${it.failed > 0 ? 'bad' : ''} />
    </div>
    <${Files} it=${it} />`
}

function Rows({ it }) {
  const { query } = place.value
  const asked = query.get('outcome') ?? (it.state === 'checked' && it.bad > 0 ? 'error' : 'all')
  const outcome = OUTCOMES.includes(asked) ? asked : 'all'
  const cursor = query.get('cursor') ?? ''
  const state = useLoad((signal, isBackground) => get(`/v1/admin/imports/${it.id}/rows`,
    { outcome: outcome === 'all' ? '' : outcome, cursor, limit: PAGE }, { signal, isBackground }), [it.id, outcome, cursor], ['import'])
  const tabs = OUTCOMES.map((name) => [name, `${t(`import.show.${name}`)} (${number(countOf(it, name))})`, href(`/imports/${it.id}?outcome=${name}`)])
  return html`<${Tabs} label=${t('import.rows')} current=${outcome} tabs=${tabs} />
    <${Loaded} state=${state}>${({ items, nextCursor }) => items.length === 0 && !nextCursor
      ? html`<${Empty} title=${t('import.none')} text=${t(`import.none.${outcome}`)} />`
      : html`<${Table} caption=${t('import.rows')} columns=${columns()} rows=${items} rowKey=${(row) => row.line} /><${Pager} next=${nextCursor} />`}<//>`
}

export default function Import({ param: id }) {
  const state = useLoad((signal, isBackground) => get(`/v1/admin/imports/${encodeURIComponent(id)}`, {}, { signal, isBackground }), [id], ['import'])
  const deeds = useDeeds(id, state.reload)
  const it = state.data
  return html`<${Page} title=${it?.name ?? t('import.unnamed')} lead=${html`<a href=${href('/imports')}>${t('import.others')}</a>`}
      actions=${it && may('patches:write') && html`<${Deeds} it=${it} deeds=${deeds} />`}>
    ${Object.values(deeds).map(({ error }) => html`<${Problem} error=${error} />`)}
    <${Loaded} state=${state}>${(found) => html`<${Summary} it=${found} />${found.rows > 0 && html`<${Rows} it=${found} />`}`}<//>
  <//>`
}

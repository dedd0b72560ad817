// All products: search and filters are in the address, so a list can be sent as a link.

import { address, ask } from '../api.js'
import { Code } from '../parts/copy.js'
import { html, useEffect, useRef, useState } from '../parts/html.js'
import { Select } from '../parts/form.js'
import { useLoad } from '../parts/load.js'
import { Empty, Loaded, Page } from '../parts/page.js'
import { Stage } from '../parts/stage.js'
import { Pager, Table } from '../parts/table.js'
import { Time } from '../parts/time.js'
import { href, place, setQuery } from '../router.js'
import { may } from '../api.js'
import { number, t } from '../text/text.js'

const PAGE = 50
const PAUSE_MS = 300
const SORTS = ['uid', '-uid', '-created', 'created']
const STATES = ['pending', 'anchoring', 'confirmed', 'failed']

/**
 * Reads until a page is full or the list ends: one answer is of some thousand rows, and a filter may fit none of
 * them. `told` hears in between how many were looked at.
 */
async function gather(filter, from, options, told) {
  const items = []
  let [cursor, scanned] = [from, 0]
  for (;;) {
    const path = address('/v1/admin/patches', { ...filter, cursor, limit: PAGE - items.length })
    const { body } = await ask('GET', path, options)
    items.push(...body.items)
    scanned += body.scanned ?? 0
    if (!body.nextCursor || items.length >= PAGE) return { ...body, items }
    told({ scanned, total: body.total })
    cursor = body.nextCursor
  }
}

/** Columns by which a server sorts that says so. */
const columns = (canSort) => [
  { head: t('patch.tag'), main: true, sort: canSort && 'uid', cell: (row) => html`<a href=${href(`/patches/${encodeURIComponent(row.uid_tag_id)}`)}>${row.uid_tag_id}</a>
    ${row.name && html`<div class="small quiet">${row.name}</div>`}` },
  { head: t('patch.state'), cell: (row) => html`<${Stage} state=${row.status} />` },
  { head: t('patch.owner'), cell: (row) => row.owner ? html`<${Code} text=${row.owner} what=${t('patch.owner')} ends=${6} />` : html`<span class="quiet">${t('patch.erased')}</span>` },
  { head: t('patch.txid'), minor: true, cell: (row) => html`<${Code} text=${row.current_txid} what=${t('patch.txid')} ends=${6} />` },
  { head: t('patch.created'), minor: true, sort: canSort && 'created', cell: (row) => html`<${Time} at=${row.created_at} />` },
  { head: t('patch.updated'), cell: (row) => html`<${Time} at=${row.updated_at} />` }
]

function Search({ value, progress }) {
  const [text, setText] = useState(value)
  const timer = useRef(0)
  useEffect(() => setText(value), [value])
  const change = (event) => {
    const now = event.target.value
    setText(now)
    clearTimeout(timer.current)
    timer.current = setTimeout(() => setQuery({ search: now.trim(), cursor: '' }), PAUSE_MS)
  }
  return html`<div class="field grow">
    <output class="far" for="search">${progress && t('patches.scanned', { n: number(progress.scanned), total: number(progress.total) })}</output><label for="search">${t('patches.search')}</label>
    <input id="search" type="search" value=${text} onInput=${change} placeholder=${t('patches.search.example')} autocomplete="off" /></div>`
}

function Nothing({ isFiltered }) {
  if (isFiltered) {
    return html`<${Empty} title=${t('patches.none.found')} text=${t('patches.none.found.text')}>
      <button type="button" onClick=${() => setQuery({ search: '', owner: '', status: '', cursor: '' })}>${t('filters.clear')}</button><//>`
  }
  return html`<${Empty} title=${t('patches.none')} text=${t('patches.none.text')}>
    ${may('patches:write') && html`<a class="button primary" href=${href('/register')}>${t('nav.register')}</a>`}<//>`
}

/** Ways to take the whole filter along, every row of it, as a file. */
function Exports({ filter, isFiltered, total }) {
  return html`<p class="exports"><span class="quiet">${t(isFiltered ? 'patches.export.found' : 'patches.export', { n: number(total) })}</span>${['csv', 'jsonl'].map((format) =>
    html`<a href=${address('/v1/admin/patches/export', { format, ...filter })} download>${t(`patches.export.${format}`)}</a>`)}</p>`
}

export default function Patches() {
  const { query } = place.value
  const filter = { search: query.get('search') ?? '', owner: query.get('owner') ?? '', status: query.get('status') ?? '', sort: query.get('sort') ?? '' }
  const cursor = query.get('cursor') ?? ''
  const [progress, setProgress] = useState(null)
  const state = useLoad(
    (signal, isBackground) => gather(filter, cursor, { signal, isBackground }, (far) => isBackground || setProgress(far)).finally(() => setProgress(null)),
    [filter, cursor], ['record']
  )
  const isFiltered = Boolean(filter.search || filter.owner || filter.status)
  return html`<${Page} title=${t('nav.patches')} lead=${t('patches.lead')}
      actions=${may('patches:write') && html`<a class="button" href=${href('/imports')}>${t('nav.imports')}</a>
        <a class="button primary" href=${href('/register')}>${t('nav.register')}</a>`}>
    <form class="filters" role="search" onSubmit=${(event) => event.preventDefault()}>
      <${Search} value=${filter.search} progress=${progress} />
      <${Select} label=${t('patch.state')} value=${filter.status} onValue=${(status) => setQuery({ status, cursor: '' })}
        options=${[['', t('all')], ...STATES.map((name) => [name, t(`stage.${name}`)])]} />
      <div class="narrow"><${Select} label=${t('patches.sort')} value=${filter.sort || 'uid'} onValue=${(sort) => setQuery({ sort, cursor: '' })}
        options=${SORTS.map((name) => [name, t(`patches.sort.${name}`)])} /></div>
      ${filter.owner && html`<p class="chip">${t('patch.owner')} <code>${filter.owner}</code>
        <button type="button" class="close" aria-label=${t('filters.clear')} onClick=${() => setQuery({ owner: '', cursor: '' })}></button></p>`}
    </form>
    <${Loaded} state=${state}>${({ items, nextCursor, total }) => items.length === 0 && !nextCursor
      ? html`<${Nothing} isFiltered=${isFiltered || Boolean(cursor)} />`
      : html`<${Table} caption=${t('nav.patches')} columns=${columns(total !== undefined)} rows=${items} rowKey=${(row) => row.uid_tag_id}
          sort=${filter.sort || 'uid'} onSort=${(sort) => setQuery({ sort, cursor: '' })} />
        <${Pager} next=${nextCursor} />${total !== undefined && html`<${Exports} filter=${filter} isFiltered=${isFiltered} total=${total} />`}`}<//>
  <//>`
}

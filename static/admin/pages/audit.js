// The audit trail: who did what to what, in a chain that shows where a line was changed.

import { get } from '../api.js'
import { html, useState } from '../parts/html.js'
import { useDeed, useLoad } from '../parts/load.js'
import { Empty, Facts, Loaded, Page } from '../parts/page.js'
import { Field } from '../parts/form.js'
import { Problem } from '../parts/problem.js'
import { Code } from '../parts/copy.js'
import { Pager, Table } from '../parts/table.js'
import { Time } from '../parts/time.js'
import { place, setQuery } from '../router.js'
import { number, t } from '../text/text.js'

const FILTERS = ['action', 'actor', 'subject', 'since', 'until']
const PAGE = 100

const columns = () => [
  { head: t('audit.number'), align: 'number', cell: (row) => number(row.number) },
  { head: t('audit.at'), cell: (row) => html`<${Time} at=${row.at} />` },
  { head: t('audit.action'), main: true, cell: (row) => html`<code>${row.action}</code>` },
  { head: t('audit.subject'), cell: (row) => html`<span class="wrap">${row.subject}</span>` },
  { head: t('audit.actor'), cell: (row) => html`<span class="wrap">${row.actor}</span>` }
]

function Whole() {
  const [found, setFound] = useState(null)
  const { run, isBusy, error } = useDeed(async () => setFound(await get('/v1/admin/audit/verify')))
  return html`<div class="verify" aria-live="polite">
    <button type="button" disabled=${isBusy} onClick=${run}>${t('audit.verify')}</button>
    <${Problem} error=${error} />
    ${found && html`<div class=${found.whole ? 'notice good' : 'notice bad'}>
      <p><strong>${found.whole ? t('audit.whole', { n: found.lines }) : t('audit.broken', { n: number(found.firstBroken ?? 0) })}</strong></p>
      <${Facts} items=${[[t('audit.head'), html`<${Code} text=${found.head} what=${t('audit.head')} ends=${12} />`]]} /></div>`}
  </div>`
}

function Filters({ filter }) {
  const [form, setForm] = useState(filter)
  const submit = (event) => {
    event.preventDefault()
    setQuery({ ...form, cursor: '' })
  }
  const clear = () => {
    const nothing = Object.fromEntries(FILTERS.map((name) => [name, '']))
    setForm(nothing)
    setQuery({ ...nothing, cursor: '' })
  }
  const field = (name, more) => html`<${Field} label=${t(`audit.${name}`)} optional=${false} value=${form[name]} onValue=${(value) => setForm({ ...form, [name]: value })} ...${more} />`
  return html`<form class="filters" role="search" onSubmit=${submit}>
    ${field('action', { placeholder: 'key.' })}${field('actor')}${field('subject')}${field('since', { type: 'date' })}${field('until', { type: 'date' })}
    <p class="actions"><button type="submit" class="primary">${t('filter')}</button>
      ${FILTERS.some((name) => filter[name]) && html`<button type="button" class="plain" onClick=${clear}>${t('filters.clear')}</button>`}</p></form>`
}

export default function Audit() {
  const { query } = place.value
  const filter = Object.fromEntries(FILTERS.map((name) => [name, query.get(name) ?? '']))
  const cursor = query.get('cursor') ?? ''
  const state = useLoad((signal) => get('/v1/admin/audit', { ...filter, cursor, limit: PAGE }, { signal }), [filter, cursor], ['settings', 'record', 'session'])
  return html`<${Page} title=${t('nav.audit')} lead=${t('audit.lead')}>
    <${Whole} />
    <${Filters} filter=${filter} />
    <${Loaded} state=${state}>${({ items, nextCursor }) => items.length === 0
      ? html`<${Empty} title=${t('audit.none')} text=${t('audit.none.text')} />`
      : html`<${Table} caption=${t('nav.audit')} columns=${columns()} rows=${items} rowKey=${(row) => row.number} /><${Pager} next=${nextCursor} />`}<//>
  <//>`
}

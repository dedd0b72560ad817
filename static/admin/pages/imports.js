// Many products at once: a file is checked row by row before anything is registered.

import { address, ask, get, may } from '../api.js'
import { html, useState } from '../parts/html.js'
import { useDeed, useLoad } from '../parts/load.js'
import { Empty, Loaded, Page, Section } from '../parts/page.js'
import { Problem } from '../parts/problem.js'
import { Stage } from '../parts/stage.js'
import { Pager, Table } from '../parts/table.js'
import { Time } from '../parts/time.js'
import { go, href, place } from '../router.js'
import { number, t } from '../text/text.js'

const PAGE = 50
/** What the server takes (docs/IMPORT.md); a larger file is not even sent. */
const MOST_BYTES = 32 * 1024 * 1024
const LONGEST_NAME = 200
const KINDS = { csv: 'text/csv', tsv: 'text/csv', txt: 'text/csv', jsonl: 'application/x-ndjson', ndjson: 'application/x-ndjson' }
const MUST = ['uid_tag_id', 'owner']
const OPTIONAL = ['name', 'category', 'sku', 'serial_number', 'material', 'notes', 'image', 'patch_location']
const EXAMPLE = [
  [...MUST, ...OPTIONAL],
  ['TAG-0001', 'ADDRESS-OF-THE-OWNER', 'Jacket, navy', 'Jackets', 'J-100', '000123', 'Wool', '', 'https://example.com/jacket.jpg', 'Inside, left'],
  ['TAG-0002', 'ADDRESS-OF-THE-OWNER', 'Scarf "Alma"', 'Scarves', 'S-200', '', 'Silk', 'Second edition', '', '']
]

/** A fault of the file itself, told in the way of a refusal. */
const flaw = (key, values) => ({ code: 'FILE', title: t(key, values) })

const kindOf = ({ name }) => KINDS[name.split('.').pop().toLowerCase()]

/** Writes a cell as RFC 4180 has it. */
const cell = (text) => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text)

/** Has the browser save a text as a file. */
function save(name, text, type) {
  const link = document.createElement('a')
  link.href = URL.createObjectURL(new Blob([text], { type }))
  link.download = name
  link.click()
  URL.revokeObjectURL(link.href)
}

const saveExample = () => save('products.csv', EXAMPLE.map((row) => `${row.map(cell).join(',')}\r\n`).join(''), 'text/csv')

async function check(file) {
  if (!kindOf(file)) throw flaw('import.flaw.kind', { name: file.name })
  if (file.size > MOST_BYTES) throw flaw('import.flaw.size', { name: file.name })
  if (file.size === 0) throw flaw('import.flaw.empty', { name: file.name })
  const name = file.name.replace(/\p{Cc}/gu, ' ').slice(0, LONGEST_NAME)
  const { body } = await ask('POST', address('/v1/admin/imports', { name }), { body: file, headers: { 'content-type': kindOf(file) } })
  go(`/imports/${body.id}`)
}

/** Where a file is dropped or chosen; nothing is registered by that. */
function Send() {
  const [isOver, setOver] = useState(false)
  const [name, setName] = useState('')
  const { run, isBusy, error } = useDeed(check)
  const take = (files) => {
    if (files.length === 0 || isBusy) return
    setName(files[0].name)
    run(files[0])
  }
  const over = (is) => (event) => {
    event.preventDefault()
    setOver(is)
  }
  const drop = (event) => {
    over(false)(event)
    take(event.dataTransfer.files)
  }
  const choose = (event) => {
    take(event.target.files)
    // The same file can be chosen again once it is mended.
    event.target.value = ''
  }
  return html`<div class="send">
    <label class=${isOver ? 'drop over' : 'drop'} onDragOver=${over(true)} onDragLeave=${over(false)} onDrop=${drop}>
      <strong>${t('import.drop')}</strong><span class="quiet">${t('import.drop.text')}</span>
      <input type="file" accept=${Object.keys(KINDS).map((end) => `.${end}`).join()} disabled=${isBusy} onChange=${choose} /></label>
    <p role="status">${isBusy && t('import.checking', { name })}</p>
    <${Problem} error=${error} /></div>`
}

/** What a file has to look like. */
function Columns() {
  const row = (name) => html`<div><dt><code>${name}</code></dt><dd>${t(`import.column.${name}`)}${MUST.includes(name) && html` <strong>${t('import.must')}</strong>`}</dd></div>`
  return html`<${Section} title=${t('import.columns')} note=${t('import.columns.note')}
      actions=${html`<button type="button" onClick=${saveExample}>${t('import.example')}</button>`}>
    <dl class="facts columns">${[...MUST, ...OPTIONAL].map(row)}</dl><//>`
}

const columns = () => [
  { head: t('import.file'), main: true, cell: (row) => html`<a href=${href(`/imports/${row.id}`)}>${row.name ?? t('import.unnamed')}</a>` },
  { head: t('patch.state'), cell: (row) => html`<${Stage} state=${`import.${row.state}`} kind=${KIND[row.state]} />` },
  { head: t('import.rows'), align: 'number', cell: (row) => number(row.rows) },
  { head: t('import.registered'), align: 'number', cell: (row) => number(row.registered) },
  { head: t('import.bad'), align: 'number', cell: (row) => number(row.bad + row.failed) },
  { head: t('import.sent'), cell: (row) => html`<${Time} at=${row.createdAt} />` }
]

/** How the states of an import look. */
export const KIND = { receiving: 'busy', checked: 'warn', running: 'busy', done: 'good', cancelled: 'plain' }

export default function Imports() {
  const cursor = place.value.query.get('cursor') ?? ''
  const state = useLoad((signal, isBackground) => get('/v1/admin/imports', { cursor, limit: PAGE }, { signal, isBackground }), [cursor], ['import'])
  return html`<${Page} title=${t('nav.imports')} lead=${t('imports.lead')}>
    ${may('patches:write') ? html`<${Send} />` : html`<div class="notice"><p>${t('imports.may.not')}</p></div>`}
    <${Loaded} state=${state}>${({ items, nextCursor }) => items.length === 0 && !nextCursor && !cursor
      ? html`<${Empty} title=${t('imports.none')} text=${t('imports.none.text')} />`
      : html`<${Table} caption=${t('nav.imports')} columns=${columns()} rows=${items} rowKey=${(row) => row.id} /><${Pager} next=${nextCursor} />`}<//>
    <div class="below"><${Columns} /></div>
  <//>`
}

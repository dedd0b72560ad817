// Tables with captions, which become cards on a narrow screen and stay tables for screen readers.

import { html } from './html.js'
import { t } from '../text/text.js'
import { place, setQuery } from '../router.js'

function Head({ column, sort, onSort }) {
  if (!column.sort) return html`<th scope="col" role="columnheader" class=${column.align ?? ''}>${column.head}</th>`
  const isUp = sort === column.sort
  const isDown = sort === `-${column.sort}`
  const next = isUp ? `-${column.sort}` : column.sort
  const order = isUp ? 'ascending' : isDown ? 'descending' : 'none'
  return html`<th scope="col" role="columnheader" class=${column.align ?? ''} aria-sort=${order}>
    <button type="button" class="sort ${order}" onClick=${() => onSort(next)}>${column.head}</button></th>`
}

/**
 * A table: `columns` are `{head, cell(row), align?, sort?, main?, minor?}` (a minor
 * one is left out of cards), `rows` what they are asked about,
 * `rowKey(row)` tells rows apart.
 */
export function Table({ caption, columns, rows, rowKey, sort, onSort }) {
  return html`<div class="table"><table role="table">
    <caption class="unseen">${caption}</caption>
    <thead role="rowgroup"><tr role="row">${columns.map((column) => html`<${Head} column=${column} sort=${sort} onSort=${onSort} />`)}</tr></thead>
    <tbody role="rowgroup">${rows.map((row) => html`<tr role="row" key=${rowKey(row)}>
      ${columns.map((column) => html`<td role="cell" class="${column.align ?? ''} ${column.main ? 'main' : ''} ${column.minor ? 'minor' : ''}" data-head=${column.head}>${column.cell(row)}</td>`)}
    </tr>`)}</tbody>
  </table></div>`
}

/** Goes through the pages of a list; the cursor is in the address, the way back in the history. */
export function Pager({ next }) {
  const cursor = place.value.query.get('cursor')
  if (!next && !cursor) return null
  return html`<nav class="pager" aria-label=${t('pages')}>
    ${cursor && html`<button type="button" onClick=${() => setQuery({ cursor: '' }, { replace: false })}>${t('pages.first')}</button>
      <button type="button" onClick=${() => history.back()}>${t('pages.before')}</button>`}
    ${next && html`<button type="button" class="next" onClick=${() => setQuery({ cursor: next }, { replace: false })}>${t('pages.next')}</button>`}
  </nav>`
}

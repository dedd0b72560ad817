// One number with its name; a mark where somebody should look.

import { html } from './html.js'

/** A tile: `kind` is nothing, `warn` or `bad`; `to` makes it a way to where the number comes from. */
export function Tile({ label, value, note, kind = '', to }) {
  const inside = html`<span class="label">${label}</span><span class="value">${value}</span>${note && html`<span class="note">${note}</span>`}`
  return to ? html`<a class="tile ${kind}" href=${to}>${inside}</a>` : html`<div class="tile ${kind}">${inside}</div>`
}

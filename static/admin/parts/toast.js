// Short news at the edge, read out to those who do not see it; some can be undone.

import { html, signal } from './html.js'
import { t } from '../text/text.js'

const STAYS_MS = 6000
const STAYS_WITH_UNDO_MS = 12_000

const toasts = signal([])
let last = 0

const drop = (id) => { toasts.value = toasts.value.filter((toast) => toast.id !== id) }

/** Says something; `undo` offers to take it back, `kind` is `good` or `bad`. */
export function say(text, { kind = 'good', undo } = {}) {
  const id = ++last
  toasts.value = [...toasts.value.slice(-3), { id, text, kind, undo }]
  setTimeout(() => drop(id), undo ? STAYS_WITH_UNDO_MS : STAYS_MS)
}

const takeBack = async ({ id, undo }) => {
  drop(id)
  await undo()
}

/** Where the news are. */
export function Toasts() {
  return html`<div class="toasts" role="status" aria-live="polite" aria-label=${t('toasts')}>
    ${toasts.value.map((toast) => html`<div key=${toast.id} class="toast ${toast.kind}">
      <p>${toast.text}</p>
      ${toast.undo && html`<button type="button" onClick=${() => takeBack(toast)}>${t('undo')}</button>`}
      <button type="button" class="close" onClick=${() => drop(toast.id)} aria-label=${t('close')}></button>
    </div>`)}
  </div>`
}

// Fields with a label, a hint and an error that are tied to them, and choices that look like it.

import { freshId, html, useState } from './html.js'
import { t } from '../text/text.js'

/** A field for text; `error` is shown once it is there. */
export function Field({ label, hint, error, value, onValue, type = 'text', many = false, ...rest }) {
  const [id] = useState(() => freshId('field'))
  const described = [hint && `${id}-hint`, error && `${id}-error`].filter(Boolean).join(' ') || undefined
  const shared = {
    id, value, onInput: (event) => onValue(event.target.value),
    'aria-describedby': described, 'aria-invalid': error ? 'true' : undefined, ...rest
  }
  return html`<div class="field">
    <label for=${id}>${label}${!rest.required && rest.optional !== false && html` <span class="quiet">${t('optional')}</span>`}</label>
    ${many ? html`<textarea rows="3" ...${shared}></textarea>` : html`<input type=${type} ...${shared} />`}
    ${hint && html`<p class="hint" id="${id}-hint">${hint}</p>`}
    ${error && html`<p class="error" id="${id}-error" role="alert">${error}</p>`}
  </div>`
}

/** A choice of one: `options` are pairs of value and label. */
export function Select({ label, hint, value, onValue, options, ...rest }) {
  const [id] = useState(() => freshId('select'))
  return html`<div class="field">
    <label for=${id}>${label}</label>
    <select id=${id} value=${value} onChange=${(event) => onValue(event.target.value)} aria-describedby=${hint ? `${id}-hint` : undefined} ...${rest}>
      ${options.map(([name, text]) => html`<option value=${name} selected=${name === value}>${text}</option>`)}
    </select>
    ${hint && html`<p class="hint" id="${id}-hint">${hint}</p>`}
  </div>`
}

/** A choice of any number. */
export function Checks({ label, values, onValues, options, error }) {
  const toggle = (name) => onValues(values.includes(name) ? values.filter((value) => value !== name) : [...values, name])
  return html`<fieldset class="checks"><legend>${label}</legend>
    ${options.map(([name, text, hint]) => html`<label class="check"><input type="checkbox" checked=${values.includes(name)} onChange=${() => toggle(name)} />
      <span>${text}${hint && html`<small>${hint}</small>`}</span></label>`)}
    ${error && html`<p class="error" role="alert">${error}</p>`}</fieldset>`
}

/** Tabs that are links: each is an address. */
export function Tabs({ label, tabs, current }) {
  return html`<nav class="tabs" aria-label=${label}>${tabs.map(([name, text, to]) =>
    html`<a href=${to} aria-current=${name === current ? 'page' : undefined}>${text}</a>`)}</nav>`
}

/** Returns the message that a refusal has for a field. */
export const fieldError = (error, name) => error?.fields?.find(({ field }) => field === name)?.message

// Long identifiers: shortened for the eye, whole for the clipboard.

import { html, useState } from './html.js'
import { say } from './toast.js'
import { t } from '../text/text.js'

const SHOWN_MS = 1600

/** Copies where the browser has no clipboard to offer, as on plain HTTP. */
function copyBySelection(text) {
  const field = document.createElement('textarea')
  field.value = text
  field.setAttribute('readonly', '')
  field.className = 'unseen'
  ;(document.querySelector('dialog[open]') ?? document.body).append(field)
  field.select()
  const done = document.execCommand('copy')
  field.remove()
  if (!done) throw new Error('not copied')
}

async function copy(text) {
  if (navigator.clipboard) await navigator.clipboard.writeText(text)
  else copyBySelection(text)
}

/** A button that copies. */
export function CopyButton({ text, what }) {
  const [isDone, setDone] = useState(false)
  const click = async () => {
    try {
      await copy(text)
      setDone(true)
      say(t('copy.done', { what }))
      setTimeout(() => setDone(false), SHOWN_MS)
    } catch {
      say(t('copy.failed'), { kind: 'bad' })
    }
  }
  return html`<button type="button" class=${isDone ? 'copy done' : 'copy'} onClick=${click}
    aria-label=${t('copy.label', { what })} title=${t('copy.label', { what })}></button>`
}

/** An identifier with its button; `ends` characters are shown of each end. */
export function Code({ text, what, ends = 0 }) {
  if (!text) return html`<span class="quiet">${t('none')}</span>`
  const isLong = ends > 0 && text.length > 2 * ends + 3
  const shown = isLong ? `${text.slice(0, ends)}…${text.slice(-ends)}` : text
  return html`<span class=${isLong ? 'code short' : 'code'}><code title=${isLong ? text : undefined}>${shown}</code><${CopyButton} text=${text} what=${what} /></span>`
}

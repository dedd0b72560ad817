// Dialogs: the browser's own, with its trap for the focus and its Escape key.

import { freshId, html, signal, useEffect, useRef, useState } from './html.js'
import { t } from '../text/text.js'

/** A dialog that is open as long as it is shown. */
export function Dialog({ title, onClose, children, wide = false }) {
  const dialog = useRef(null)
  const [id] = useState(() => freshId('dialog'))
  useEffect(() => {
    const former = document.activeElement
    dialog.current.showModal()
    // Whoever is to write begins at once; else the browser's own order stands, with the way out first.
    dialog.current.querySelector('input:not([type="checkbox"], [type="radio"]), textarea')?.focus()
    return () => former?.isConnected && former.focus()
  }, [])
  const onCancel = (event) => {
    event.preventDefault()
    onClose()
  }
  const onClick = (event) => event.target === dialog.current && onClose()
  return html`<dialog ref=${dialog} class=${wide ? 'wide' : ''} aria-labelledby=${id}
      onCancel=${onCancel} onClick=${onClick}>
    <div class="dialog">
      <header><h2 id=${id}>${title}</h2>
        <button type="button" class="close" onClick=${onClose} aria-label=${t('close')}></button></header>
      ${children}
    </div>
  </dialog>`
}

const question = signal(null)

/** Asks before a deed; `text` names its consequence, `typed` has a word typed first. */
export function confirm(asked) {
  return new Promise((resolve) => { question.value = { ...asked, resolve } })
}

const answer = (result) => {
  const { resolve } = question.value
  question.value = null
  resolve(result)
}

/** Where questions are asked. */
export function Questions() {
  const asked = question.value
  const [typed, setTyped] = useState('')
  const [id] = useState(() => freshId('typed'))
  if (!asked) return null
  const isReady = !asked.typed || typed === asked.typed
  const submit = (event) => {
    event.preventDefault()
    setTyped('')
    answer(true)
  }
  const refuse = () => {
    setTyped('')
    answer(false)
  }
  return html`<${Dialog} title=${asked.title} onClose=${refuse}>
    <form onSubmit=${submit}>
      <p>${asked.text}</p>
      ${asked.typed && html`<p><label for=${id}>${t('confirm.type', { word: asked.typed })}</label>
        <input id=${id} value=${typed} onInput=${(event) => setTyped(event.target.value)} autocomplete="off" /></p>`}
      <footer class="actions">
        <button type="button" class="plain" onClick=${refuse}>${t('cancel')}</button>
        <button type="submit" class=${asked.danger ? 'danger' : 'primary'} disabled=${!isReady}>${asked.action}</button>
      </footer>
    </form>
  <//>`
}

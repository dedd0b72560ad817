// What went wrong, what to do about it, and the number under which the log has it.

import { html } from './html.js'
import { CopyButton } from './copy.js'
import { t, tOr } from '../text/text.js'

const adviceOf = (error) => {
  if (error.status === 429) return t('advice.429', { secs: error.retryAfter || 10 })
  const byCode = tOr(`advice.${error.code}`, null)
  if (byCode) return byCode
  if (error.status >= 500) return t('advice.5xx')
  return tOr(`advice.${error.status}`, t('advice.other'))
}

/** Returns an error in one sentence. */
export const sentence = (error) => tOr(`problem.${error.code}`, null) ?? error.detail ?? error.title ?? t('problem.unknown')

/** Shows a refusal; `retry` offers to ask again. */
export function Problem({ error, retry }) {
  if (!error) return null
  return html`<div class="problem" role="alert">
    <p><strong>${sentence(error)}</strong></p>
    ${error.fields?.length > 0 && html`<ul>${error.fields.map(({ field, message }) =>
      html`<li><code>${field}</code> ${message}</li>`)}</ul>`}
    <p>${adviceOf(error)}</p>
    ${error.requestId && html`<p class="request">${t('request.id')} <code>${error.requestId}</code><${CopyButton} text=${error.requestId} what=${t('request.id')} /></p>`}
    ${retry && html`<p><button type="button" onClick=${retry}>${t('retry')}</button></p>`}
  </div>`
}

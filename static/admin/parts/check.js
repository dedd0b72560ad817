// Checks a proof in this browser, as the certificate does, so that nobody has to take the server's word.

import { get } from '../api.js'
import { html, useState } from './html.js'
import { useDeed } from './load.js'
import { Problem } from './problem.js'
import { Stage } from './stage.js'
import { number, t, tOr } from '../text/text.js'

async function checkNow(uid) {
  const [bundle, { check }] = await Promise.all([
    get(`/v1/patches/${encodeURIComponent(uid)}/proof`),
    import('../check/check.mjs')
  ])
  const begun = performance.now()
  const steps = []
  const running = check(bundle)
  let taken = running.next()
  while (!taken.done) {
    steps.push(taken.value)
    taken = running.next()
  }
  return { steps, verdict: taken.value.verdict, took: performance.now() - begun }
}

const KIND = { ok: 'good', failed: 'bad', 'not-checked': 'plain' }
const VERDICT = { proved: 'good', failed: 'bad', incomplete: 'warn' }

function Steps({ steps }) {
  return html`<details><summary>${t('check.steps', { n: steps.length })}</summary>
    <ol class="steps">${steps.map(({ name, subject, outcome, reason }) => html`<li>
      <${Stage} state=${`check.${outcome}`} kind=${KIND[outcome]} /> ${tOr(`check.step.${name}`, name)} <span class="quiet">${subject}</span>
      ${reason && html`<br /><span class="error">${reason}</span>`}</li>`)}</ol></details>`
}

/** A button that checks, and what it found. */
export function Check({ uid }) {
  const { run, isBusy, error, result } = useChecked(uid)
  return html`<div class="check-now" aria-live="polite">
    <button type="button" class="primary" disabled=${isBusy} onClick=${run}>${t(isBusy ? 'check.running' : 'check.action')}</button>
    <${Problem} error=${error} />
    ${result && html`<p><${Stage} state=${`check.${result.verdict}`} kind=${VERDICT[result.verdict]} /></p>
      <p>${t(`check.${result.verdict}.text`)} <span class="quiet">${t('check.took', { ms: number(Math.ceil(result.took)) })}</span></p>
      <${Steps} steps=${result.steps} />`}
  </div>`
}

function useChecked(uid) {
  const deed = useDeed(async () => checkNow(uid))
  const [result, setResult] = useState()
  return { ...deed, result, run: async () => setResult(await deed.run()) }
}

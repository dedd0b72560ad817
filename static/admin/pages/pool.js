// The pool of outputs that pays for everything: how long it lasts, and what keeps it in order.

import { get, may, onceKey, post } from '../api.js'
import { Code } from '../parts/copy.js'
import { Dialog } from '../parts/dialog.js'
import { Field, Select } from '../parts/form.js'
import { html, useState } from '../parts/html.js'
import { useDeed, useLoad } from '../parts/load.js'
import { Facts, Loaded, Page, Section } from '../parts/page.js'
import { Problem } from '../parts/problem.js'
import { Tile } from '../parts/tile.js'
import { Time, duration } from '../parts/time.js'
import { say } from '../parts/toast.js'
import { number, satoshis, t, tOr } from '../text/text.js'

const PATH = '/v1/admin/utxo-maintain'
const ACTIONS = ['auto', 'sync', 'split', 'sweep', 'unlock-stale']
const STATES = ['available', 'unconfirmed', 'locked', 'spent']

const whole = (text) => (/^\d+$/.test(text) ? Number(text) : undefined)

function Step({ step }) {
  const spent = step.inputs.reduce((sum, { satoshis: value }) => sum + value, 0)
  return html`<li><strong>${tOr(`pool.action.${step.action}`, step.action)}</strong>
    ${step.reason && html`<p class="quiet">${step.reason}</p>`}
    ${step.inputs.length > 0 && html`<p>${t('pool.step', { inputs: step.inputs.length, spent: satoshis(spent), outputs: step.outputs.length, fee: satoshis(step.feeSatoshis) })}</p>`}
    ${step.sync && html`<p>${t('pool.sync', step.sync)}</p>`}
    ${step.leases?.length > 0 && html`<ul>${step.leases.map((lease) => html`<li><code>${lease.outpoint}</code> ${satoshis(lease.satoshis)}: ${lease.reason}</li>`)}</ul>`}
    ${step.txid && html`<p>${t('patch.txid')} <${Code} text=${step.txid} what=${t('patch.txid')} ends=${10} /></p>`}</li>`
}

/** A plan is shown before the deed: the same request, tried dry. */
function Maintain({ onClose, onDone }) {
  const [action, setAction] = useState('auto')
  const [count, setCount] = useState('')
  const [size, setSize] = useState('')
  const [plan, setPlan] = useState(null)
  const isSplit = action === 'split'
  const body = () => ({ action, ...(isSplit ? { count: whole(count), sizeSatoshis: whole(size) } : {}) })
  const look = useDeed(async () => setPlan(await post(PATH, { ...body(), dryRun: true })))
  const act = useDeed(async () => {
    await post(PATH, { ...body(), dryRun: false }, { once: onceKey() })
    say(t('pool.done'))
    onDone()
  })
  const change = (set) => (value) => {
    setPlan(null)
    set(value)
  }
  const submit = (event) => {
    event.preventDefault()
    if (plan) act.run()
    else look.run()
  }
  return html`<${Dialog} title=${t('pool.maintain')} onClose=${onClose} wide>
    <form onSubmit=${submit}>
      <${Select} label=${t('pool.action')} value=${action} onValue=${change(setAction)} hint=${t(`pool.action.${action}.text`)}
        options=${ACTIONS.map((name) => [name, t(`pool.action.${name}`)])} />
      ${isSplit && html`<div class="pair"><${Field} label=${t('pool.count')} inputmode="numeric" pattern="[0-9]*" value=${count} onValue=${change(setCount)} />
        <${Field} label=${t('pool.size')} inputmode="numeric" pattern="[0-9]*" value=${size} onValue=${change(setSize)} /></div>`}
      <${Problem} error=${look.error ?? act.error} />
      ${plan && html`<div class="plan" role="status"><h3>${t('pool.plan')}</h3><ol>${plan.steps.map((step) => html`<${Step} step=${step} />`)}</ol></div>`}
      <footer class="actions"><button type="button" class="plain" onClick=${onClose}>${t('cancel')}</button>
        <button type="submit" class="primary" disabled=${look.isBusy || act.isBusy}>${t(plan ? 'pool.act' : 'pool.look')}</button></footer>
    </form><//>`
}

function Runway({ runway }) {
  const days = runway.daysLeft === null ? t('unknown') : t('days', { n: runway.daysLeft })
  return html`<div class="tiles">
    <${Tile} label=${t('pool.days')} value=${days} note=${tOr(`pool.reason.${runway.reason}`, runway.reason) ?? t('pool.days.note')} kind=${runway.daysLeft !== null && runway.daysLeft < 7 ? 'warn' : ''} />
    <${Tile} label=${t('pool.value')} value=${satoshis(runway.valueSatoshis)} />
    <${Tile} label=${t('pool.today')} value=${satoshis(runway.feesTodaySatoshis)} kind=${runway.capped ? 'warn' : ''}
      note=${runway.feeCapPerDaySatoshis === null ? t('pool.cap.none') : t('pool.cap', { cap: satoshis(runway.feeCapPerDaySatoshis) })} />
    <${Tile} label=${t('pool.waiting')} value=${number(runway.recordsWaitingForMoney)} kind=${runway.recordsWaitingForMoney > 0 ? 'bad' : ''}
      note=${runway.oldestUnanchoredSeconds === null ? t('pool.oldest.none') : t('pool.oldest', { age: duration(runway.oldestUnanchoredSeconds) })} />
  </div>`
}

function Outputs({ db, chain }) {
  return html`<${Section} title=${t('pool.outputs')} note=${t('pool.outputs.note')}>
    <table><caption class="unseen">${t('pool.outputs')}</caption><thead><tr><th scope="col">${t('patch.state')}</th><th scope="col" class="number">${t('pool.number')}</th><th scope="col" class="number">${t('pool.sum')}</th></tr></thead>
    <tbody>${STATES.filter((name) => db[name]).map((name) => html`<tr><th scope="row">${t(`pool.state.${name}`)}</th><td class="number">${number(db[name].count)}</td><td class="number">${satoshis(db[name].totalSatoshis)}</td></tr>`)}
    ${chain.count !== undefined && html`<tr><th scope="row">${t('pool.state.chain')}</th><td class="number">${number(chain.count)}</td><td class="number">${satoshis(chain.totalSatoshis)}</td></tr>`}</tbody></table>
  <//>`
}

function Funding({ funding, status }) {
  return html`<${Section} title=${t('pool.funding')} note=${t('pool.funding.note')}>
    <${Facts} items=${[
      [t('pool.address'), html`<${Code} text=${funding.address} what=${t('pool.address')} />`],
      [t('pool.network'), funding.network],
      [t('pool.fee'), t('pool.fee.value', { n: number(funding.thresholds.feePerKb) })],
      [t('pool.wanted'), number(funding.thresholds.minUtxoCount)],
      [t('pool.running'), status.running ? tOr(`pool.action.${status.running.action}`, status.running.action) : t('none')],
      [t('pool.next'), html`<${Time} at=${status.nextRunAt} />`],
      [t('pool.last'), status.last ? html`<${Time} at=${status.last.startedAt} /> · ${status.last.requestedBy}` : t('none')]
    ]} /><//>`
}

export default function Pool() {
  const [isOpen, setOpen] = useState(false)
  const state = useLoad(async (signal) => {
    const [health, status] = await Promise.all([get('/v1/admin/utxo-health', {}, { signal }), get(PATH, {}, { signal })])
    return { ...health, status }
  }, [], ['overview'])
  const done = () => {
    setOpen(false)
    state.reload()
  }
  return html`<${Page} title=${t('nav.pool')} lead=${t('pool.lead')}
      actions=${may('utxo:write') && html`<button type="button" class="primary" onClick=${() => setOpen(true)}>${t('pool.maintain')}</button>`}>
    <${Loaded} state=${state}>${({ db, chain, runway, funding, status }) => html`<${Runway} runway=${runway} />
      <div class="halves"><${Outputs} db=${db} chain=${chain} /><${Funding} funding=${funding} status=${status} /></div>`}<//>
    ${isOpen && html`<${Maintain} onClose=${() => setOpen(false)} onDone=${done} />`}
  <//>`
}

// A restore beside the running server, from the reading of the backup to the fence that stands afterwards.

import { ask, get, may, post } from '../api.js'
import { Code } from './copy.js'
import { confirm, Dialog } from './dialog.js'
import { Field } from './form.js'
import { html, useEffect, useState } from './html.js'
import { useDeed, useLoad } from './load.js'
import { Facts, Section } from './page.js'
import { Problem } from './problem.js'
import { Stage } from './stage.js'
import { Table } from './table.js'
import { Time } from './time.js'
import { say } from './toast.js'
import { number, t } from '../text/text.js'

const PATH = '/v1/admin/restore'
const LOOK_MS = 1000
const KIND = { adopted: 'good', money: 'good', waiting: 'warn', conflict: 'bad' }

const background = { isBackground: true }
const isUnderWay = (job) => ['reading', 'checking', 'cancelling'].includes(job?.state)

/** Reads how a restore and the fence are; again every second while either moves. */
export function useRestore() {
  const state = useLoad((signal) => get(PATH, {}, { signal, ...background }), [])
  const isMoving = isUnderWay(state.data?.job) || (state.data?.fenced && !state.data.resyncedAt)
  useEffect(() => {
    if (!isMoving) return undefined
    const timer = setTimeout(state.reload, LOOK_MS)
    return () => clearTimeout(timer)
  }, [isMoving, state.data, state.error])
  return state
}

/** Begins to read a backup; `key` is `{passphrase}` or `{identity}` where the server has none. */
export const begin = (name, key = {}) => post(PATH, { name, ...key })

/** Asks for what opens a backup: a `passphrase` or an `identity`, as `row.lock` says. */
export function KeyDialog({ row, onClose, onBegun }) {
  const [key, setKey] = useState('')
  const field = row.lock
  const { run, isBusy, error } = useDeed(async () => {
    await begin(row.name, { [field]: key })
    onBegun()
  })
  const submit = (event) => {
    event.preventDefault()
    run()
  }
  return html`<${Dialog} title=${t('restore.key.title', { name: row.name })} onClose=${onClose}>
    <form onSubmit=${submit} autocomplete="off">
      <p>${t(row.isWrong ? `restore.key.wrong.${field}` : `restore.key.${field}.text`)}</p>
      <${Problem} error=${error} />
      <${Field} label=${t(`restore.key.${field}`)} type="password" autocomplete="off" value=${key} onValue=${setKey} required hint=${t('restore.key.hint')} />
      <footer class="actions">
        <button type="button" class="plain" onClick=${onClose}>${t('cancel')}</button>
        <button type="submit" class="primary" disabled=${isBusy || !key}>${t(isBusy ? 'wait' : 'restore.read')}</button>
      </footer>
    </form><//>`
}

function Reading({ job, onCancel }) {
  const share = job.total > 0 ? Math.floor((100 * job.bytes) / job.total) : 0
  const isKnown = job.state === 'reading' && job.total > 0
  return html`<div class="notice" role="status"><p>${t(`restore.${job.state}`, { name: job.name, n: share })}</p>
    <progress max="100" value=${isKnown ? share : undefined} aria-label=${t('restore.progress')}></progress>
    ${may('admin') && job.state !== 'cancelling' && html`<p class="actions"><button type="button" onClick=${onCancel}>${t('cancel')}</button></p>`}</div>`
}

const counts = ({ products, records, transactions }) =>
  t('restore.counts', { products: number(products), records: number(records), transactions: number(transactions) })

const isNothing = ({ products, records, transactions }) => products + records + transactions === 0

function Ready({ job, onApply, onCancel }) {
  const { summary, folder } = job
  const { lost } = summary
  return html`<${Section} title=${t('restore.ready', { name: job.name })}><div class="restore">
    <${Facts} items=${[
      [t('backups.taken'), html`<${Time} at=${summary.takenAt} full />`],
      [t('restore.holds'), counts(summary)],
      [t('restore.lost'), isNothing(lost) ? t('restore.lost.nothing') : html`<strong>${counts(lost)}</strong>`],
      [t('restore.made'), t('restore.made.value', { program: summary.program ?? '?', schema: number(summary.schema) })]
    ]} />
    <p>${t('restore.sound')}</p>
    <h3>${t('restore.then')}</h3>
    <ul>
      <li>${isNothing(lost) ? t('restore.then.nothing') : t('restore.then.lost')}</li>
      <li>${t('restore.then.anew')}</li>
      <li>${t('restore.then.fence')}</li>
      <li>${t('restore.then.kept')} <code class="wrap">${folder}/patchproof.redb.before-restore-…</code></li>
      <li>${t('restore.then.back')} <code class="wrap">patchproof restore ${folder}/patchproof.redb.before-restore-…</code></li>
    </ul>
    ${may('admin') && html`<p class="actions">
      <button type="button" onClick=${onCancel}>${t('restore.discard')}</button>
      <button type="button" class="danger" onClick=${onApply}>${t('restore.apply')}</button></p>`}</div><//>`
}

function Failed({ job, onKey, onCancel }) {
  return html`<div class="problem" role="alert"><p><strong>${t('restore.failed', { name: job.name })}</strong></p>
    <p class="wrap">${job.needs ? t(`restore.needs.${job.needs}`) : job.failure}</p>
    ${!job.needs && html`<p>${t('restore.failed.text')}</p>`}
    ${may('admin') && html`<p class="actions"><button type="button" onClick=${onCancel}>${t('close')}</button>
      ${job.needs && html`<button type="button" class="primary" onClick=${onKey}>${t('restore.key.again')}</button>`}</p>`}</div>`
}

/** Waits for the server that begins anew. Its store may not know the session any more: then the door is shown. */
function Anew({ job, onBack }) {
  useEffect(() => {
    let timer
    const look = async () => {
      const found = await get(PATH, {}, background).catch(() => undefined)
      if (found && found.job?.state !== 'applying') onBack(found)
      else timer = setTimeout(look, LOOK_MS)
    }
    timer = setTimeout(look, LOOK_MS)
    return () => clearTimeout(timer)
  }, [])
  return html`<div class="notice" role="status"><p><strong>${t('restore.applying', { name: job.name })}</strong></p>
    <p>${t('restore.applying.text')}</p><progress aria-label=${t('restore.progress')}></progress></div>`
}

const findings = () => [
  { head: t('restore.finding'), main: true, cell: (row) => html`<${Code} text=${row.txid} what=${t('restore.finding')} ends=${8} />` },
  { head: t('restore.standing'), cell: (row) => html`<${Stage} state=${`standing.${row.standing}`} kind=${KIND[row.standing] ?? 'plain'} />` },
  { head: t('restore.height'), align: 'number', cell: (row) => row.height === null ? t('none') : number(row.height) },
  { head: t('restore.products'), cell: (row) => row.products.length > 0 ? row.products.join(', ') : t('none') },
  { head: t('restore.advice'), cell: (row) => html`<span class="wrap">${row.advice ?? t('none')}</span>` }
]

/** The fence of a restored store, and what the chain knew that the backup did not. */
export function Fence({ data, reload }) {
  const release = useDeed(async () => {
    const isAgreed = await confirm({ title: t('restore.release.title'), text: t('restore.release.text'), action: t('restore.release'), danger: true })
    if (!isAgreed) return
    await post(`${PATH}/release`, {})
    say(t('restore.released'))
    reload()
  })
  if (!data.fenced && data.found === 0) return null
  const actions = data.fenced && data.resyncedAt && may('admin') && html`<button type="button" class="danger" disabled=${release.isBusy} onClick=${() => release.run()}>${t('restore.release')}</button>`
  return html`<${Section} title=${t('restore.fence')} actions=${actions}><div class="restore">
    <${Problem} error=${release.error} />
    ${data.fenced ? html`<p class="notice bad">${t(data.resyncedAt ? 'restore.fence.waits' : 'restore.fence.asks')}</p>
      <${Facts} items=${[
        [t('restore.restoredAt'), html`<${Time} at=${data.restoredAt} />`],
        [t('backups.taken'), html`<${Time} at=${data.takenAt} />`],
        [t('restore.resyncedAt'), data.resyncedAt ? html`<${Time} at=${data.resyncedAt} />` : undefined],
        [t('restore.reason'), data.resyncedAt ? undefined : html`<span class="wrap">${data.reason}</span>`]
      ]} />` : html`<p>${t('restore.fence.fell')}</p>`}
    ${data.found > 0 && html`<p>${t('restore.found', { n: number(data.found) })}</p>
      <${Table} caption=${t('restore.findings')} columns=${findings()} rows=${data.findings} rowKey=${(row) => row.txid} />`}</div><//>`
}

/** What is under way; `onKey(row)` asks for what opens the backup. */
export function RestoreJob({ state, onKey, onBack }) {
  const [applied, setApplied] = useState(null)
  const job = applied ?? state.data?.job
  const cancel = useDeed(async () => {
    await ask('DELETE', PATH)
    state.reload()
  })
  const apply = useDeed(async () => {
    const { lost } = job.summary
    const text = isNothing(lost) ? t('restore.confirm.nothing') : t('restore.confirm.lost', { counts: counts(lost) })
    const isAgreed = await confirm({ title: t('restore.confirm', { name: job.name }), text, action: t('restore.confirm.action'), danger: true })
    if (isAgreed) setApplied((await post(`${PATH}/apply`, { name: job.name })).job)
  })
  const back = (found) => {
    setApplied(null)
    if (found.fenced && !found.job) say(t('restore.back'))
    onBack()
  }
  if (!job) return null
  const isApplying = job.state === 'applying'
  return html`<${Problem} error=${cancel.error ?? apply.error} />
    ${isUnderWay(job) && html`<${Reading} job=${job} onCancel=${() => cancel.run()} />`}
    ${job.state === 'ready' && html`<${Ready} job=${job} onApply=${() => apply.run()} onCancel=${() => cancel.run()} />`}
    ${isApplying && html`<${Anew} job=${job} onBack=${back} />`}
    ${job.state === 'failed' && html`<${Failed} job=${job} onCancel=${() => cancel.run()} onKey=${() => onKey({ name: job.name, lock: job.needs, isWrong: true })} />`}`
}

// Backups: which there are, one made now, and one brought back.

import { ask, get, may, post } from '../api.js'
import { Code } from '../parts/copy.js'
import { confirm } from '../parts/dialog.js'
import { html, useEffect, useState } from '../parts/html.js'
import { useDeed, useLoad } from '../parts/load.js'
import { Empty, Facts, Loaded, Page, Section } from '../parts/page.js'
import { Problem } from '../parts/problem.js'
import { begin, Fence, KeyDialog, RestoreJob, useRestore } from '../parts/restore.js'
import { Table } from '../parts/table.js'
import { Time, duration } from '../parts/time.js'
import { say } from '../parts/toast.js'
import { number, t } from '../text/text.js'

const PATH = '/v1/admin/backups'
const LOOK_MS = 1000
const KIB = 1024

const size = (bytes) => t('backups.kib', { n: number(Math.ceil(bytes / KIB)) })

function Running({ running }) {
  if (!running) return null
  const share = running.total > 0 ? Math.floor((100 * running.rows) / running.total) : 0
  return html`<div class="notice" role="status"><p>${t('backups.running', { n: share })}</p>
    <progress max="100" value=${share} aria-label=${t('backups.progress')}></progress></div>`
}

const columns = (restore, remove) => [
  { head: t('backups.name'), main: true, cell: (row) => may('admin')
    ? html`<a href=${`${PATH}/${row.name}`} download=${row.name}>${row.name}</a>` : row.name },
  { head: t('backups.taken'), cell: (row) => row.problem ? html`<span class="wrap">${row.problem}</span>` : html`<${Time} at=${row.takenAt} />` },
  { head: t('backups.size'), align: 'number', cell: (row) => size(row.bytes) },
  { head: t('backups.schema'), align: 'number', minor: true, cell: (row) => row.schema },
  { head: t('deeds'), cell: (row) => may('admin') && html`<span class="actions">
    ${!row.problem && html`<button type="button" class="small" disabled=${!restore} onClick=${() => restore(row)}
      aria-label=${t('restore.title', { name: row.name })}>${t('restore')}</button>`}
    <button type="button" class="small danger"
      onClick=${() => remove.run(row)} aria-label=${t('backups.remove.title', { name: row.name })}>${t('backups.remove')}</button></span>` }
]

function State({ data }) {
  const every = data.intervalSeconds && data.locked ? duration(data.intervalSeconds) : t('backups.never')
  return html`<${Section} title=${t('backups.plan')}>
    ${!data.locked && html`<p class="notice bad">${t('backups.nokey')}</p>`}
    ${data.warning && html`<p class="notice bad">${data.warning}</p>`}
    ${data.failure && html`<p class="notice bad">${t('backups.failed')} <${Time} at=${data.failedAt} />: ${data.failure}</p>`}
    <${Facts} items=${[
      [t('backups.folder'), html`<${Code} text=${data.folder} what=${t('backups.folder')} />`],
      [t('backups.every'), every],
      [t('backups.next'), html`<${Time} at=${data.nextAt} />`],
      [t('backups.keep'), number(data.keep)]
    ]} /><//>`
}

export default function Backups() {
  const state = useLoad((signal) => get(PATH, {}, { signal, isBackground: true }), [])
  const isRunning = Boolean(state.data?.running)
  useEffect(() => {
    if (!isRunning) return undefined
    const timer = setTimeout(state.reload, LOOK_MS)
    return () => clearTimeout(timer)
  }, [isRunning, state.data])
  const make = useDeed(async () => {
    await post(PATH, {})
    state.reload()
  })
  const remove = useDeed(async (row) => {
    const isAgreed = await confirm({ title: t('backups.remove.title', { name: row.name }), text: t('backups.remove.text'), action: t('backups.remove'), danger: true })
    if (!isAgreed) return
    await ask('DELETE', `${PATH}/${row.name}`)
    say(t('backups.removed', { name: row.name }))
    state.reload()
  })
  const restores = useRestore()
  const [asked, setAsked] = useState(null)
  const reading = useDeed(async (row) => {
    await begin(row.name)
    restores.reload()
  })
  const job = restores.data?.job
  // One at a time; one that failed makes room for the next.
  const restore = (!job || job.state === 'failed') && !reading.isBusy && ((row) => {
    const isOpened = row.lock === 'passphrase' && state.data.opens
    return isOpened ? reading.run(row) : setAsked(row)
  })
  const begun = () => {
    setAsked(null)
    restores.reload()
  }
  const back = () => {
    restores.reload()
    state.reload()
  }
  const fence = restores.data && html`<${Fence} data=${restores.data} reload=${restores.reload} />`
  const action = may('admin') && html`<button type="button" class="primary" disabled=${make.isBusy || isRunning || !state.data?.locked} onClick=${make.run}>${t('backups.make')}</button>`
  return html`<${Page} title=${t('nav.backups')} lead=${t('backups.lead')} actions=${action}>
    <${Problem} error=${make.error ?? remove.error ?? reading.error} />
    ${asked && html`<${KeyDialog} row=${asked} onClose=${() => setAsked(null)} onBegun=${begun} />`}
    <${RestoreJob} state=${restores} onKey=${setAsked} onBack=${back} />
    ${restores.data?.fenced && fence}
    <${Loaded} state=${state}>${(data) => html`<${Running} running=${data.running} /><${State} data=${data} />
      ${data.backups.length === 0
        ? html`<${Empty} title=${t('backups.none')} text=${t(data.locked ? 'backups.none.text' : 'backups.none.nokey')} />`
        : html`<${Table} caption=${t('nav.backups')} columns=${columns(restore, remove)} rows=${data.backups} rowKey=${(row) => row.name} /><p class="quiet after">${t('backups.restore.text')} <code>patchproof restore ${data.folder}/…</code></p>`}`}<//>
    ${!restores.data?.fenced && fence}<//>`
}

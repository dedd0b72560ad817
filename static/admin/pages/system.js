// The process and its machine: version, store, disk, and what the doctor finds.

import { get } from '../api.js'
import { Code } from '../parts/copy.js'
import { html } from '../parts/html.js'
import { useLoad } from '../parts/load.js'
import { Facts, Loaded, Page, Section } from '../parts/page.js'
import { Stage } from '../parts/stage.js'
import { Time, duration } from '../parts/time.js'
import { number, t } from '../text/text.js'

const UNITS = [['gigabyte', 1e9], ['megabyte', 1e6], ['kilobyte', 1e3]]
const KIND = { ok: 'good', warn: 'warn', fail: 'bad' }

/** Writes a number of bytes in its largest unit. */
function bytes(value) {
  if (value === null || value === undefined) return t('none')
  const [unit, size] = UNITS.find(([, least]) => value >= least) ?? ['byte', 1]
  return number(value / size, { style: 'unit', unit, maximumFractionDigits: 1 })
}

function Findings({ doctor }) {
  return html`<${Section} title=${t('system.doctor')} note=${html`${t('system.doctor.note')} <${Time} at=${doctor.examinedAt} />.`}>
    <ul class="findings">${doctor.findings.map((found) => html`<li><${Stage} state=${`doctor.${found.level}`} kind=${KIND[found.level] ?? 'plain'} />
      <div><p><strong>${found.check}</strong></p><p class="quiet wrap">${found.finding}</p>${found.remedy && html`<p class="wrap">${found.remedy}</p>`}</div></li>`)}</ul><//>`
}

export default function System() {
  const state = useLoad((signal) => get('/v1/admin/system', {}, { signal }), [])
  return html`<${Page} title=${t('nav.system')} lead=${t('system.lead')} actions=${html`<button type="button" onClick=${state.reload}>${t('system.again')}</button>`}>
    <${Loaded} state=${state}>${({ version, sha, network, startedAt, uptimeSeconds, store, disk, doctor }) => html`<div class="halves">
      <${Section} title="PatchProof"><${Facts} items=${[
        [t('system.version'), version],
        [t('system.sha'), sha ? html`<${Code} text=${sha} what=${t('system.sha')} ends=${8} />` : undefined],
        [t('pool.network'), network],
        [t('system.started'), html`<${Time} at=${startedAt} full />`],
        [t('system.uptime'), duration(uptimeSeconds)]
      ]} /><//>
      <${Section} title=${t('system.store')}><${Facts} items=${[
        [t('system.folder'), store.dataDir ? html`<code>${store.dataDir}</code>` : t('system.memory')],
        [t('system.file'), bytes(store.fileBytes)],
        [t('system.schema'), store.schemaVersion],
        [t('system.commits'), t('system.commits.value', { commits: number(store.commitsSinceStart), writes: number(store.writesSinceStart) })],
        [t('overview.disk'), disk ? `${bytes(disk.freeBytes)} / ${bytes(disk.totalBytes)}` : undefined]
      ]} /><//></div>
      ${doctor && html`<${Findings} doctor=${doctor} />`}`}<//>
  <//>`
}

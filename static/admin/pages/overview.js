// How the product is: what needs somebody first, then every number with its way over time.

import { get } from '../api.js'
import { Chart } from '../parts/chart.js'
import { html, useEffect, useState } from '../parts/html.js'
import { useLoad } from '../parts/load.js'
import { Loaded, Page, Section } from '../parts/page.js'
import { Tabs } from '../parts/form.js'
import { Stage } from '../parts/stage.js'
import { Tile } from '../parts/tile.js'
import { Time, duration } from '../parts/time.js'
import { overview as live } from '../live.js'
import { href, place } from '../router.js'
import { number, satoshis, t } from '../text/text.js'

const STAGES = ['accepted', 'reserved', 'signed', 'seen', 'mined', 'final', 'held', 'failed']
const SPANS = ['60', '360', '1440']
const REFRESH_MS = 15_000
/** Charts: the series of each, by the names that the route has. */
const CHARTS = [
  ['lag', ['lag.p50Ms', 'lag.p95Ms'], (value) => duration(value / 1000)],
  ['waiting', ['records.waitingForBatch', 'records.held', 'records.failed', 'records.seen']],
  ['pool', ['pool.availableCount']],
  ['chain', ['chain.height']],
  ['logins', ['logins.completed', 'logins.failed']],
  ['runway', ['runway.daysLeft']]
]

const bytes = (value) => number(value, { style: 'unit', unit: 'gigabyte', maximumFractionDigits: 1 })

function Alerts({ alerts }) {
  if (alerts.length === 0) return html`<p class="notice good"><strong>${t('overview.calm')}</strong> ${t('overview.calm.text')}</p>`
  return html`<${Section} title=${t('overview.alerts')}><ul class="alerts">${alerts.map((alert) => html`<li key=${`${alert.code} ${alert.subject}`}>
    <${Stage} state=${alert.severity} kind=${{ critical: 'bad', warning: 'warn' }[alert.severity] ?? 'plain'} />
    <div><p><strong>${alert.text}</strong>${/\D/.test(alert.subject ?? '') && html` <code>${alert.subject}</code>`}</p>
      <p>${alert.remedy}</p><p class="quiet small">${t('overview.since')} <${Time} at=${alert.since} /></p></div></li>`)}</ul><//>`
}

function Stages({ records }) {
  const count = (stage) => records.byStage[stage] ?? 0
  const kind = { held: 'warn', failed: 'bad' }
  return html`<h2 class="over">${t('overview.stages')}</h2><div class="tiles stages">
    ${STAGES.map((stage) => html`<${Tile} label=${t(`stage.${stage}`)} value=${number(count(stage))} kind=${count(stage) > 0 ? kind[stage] ?? '' : ''} to=${href(`/records?stage=${stage}`)} />`)}
    <${Tile} label=${t('overview.batch')} value=${number(records.waitingForBatch)} to=${href('/anchors?kind=batch')} />
  </div>`
}

function Numbers({ now }) {
  const { runway, chain, lag, logins, disk } = now
  return html`<h2 class="over">${t('overview.numbers')}</h2><div class="tiles">
    <${Tile} label=${t('overview.lag')} value=${lag ? duration(lag.p50Ms / 1000) : t('none')} note=${lag ? t('overview.lag.note', { p95: duration(lag.p95Ms / 1000), n: lag.records }) : t('overview.lag.none')} />
    <${Tile} label=${t('overview.oldest')} value=${duration(runway.oldestUnanchoredSeconds)} note=${runway.oldestUnanchoredSeconds === null ? t('pool.oldest.none') : undefined} />
    <${Tile} label=${t('pool.days')} value=${runway.daysLeft === null ? t('unknown') : t('days', { n: runway.daysLeft })} note=${satoshis(runway.valueSatoshis)} to=${href('/pool')} />
    <${Tile} label=${t('overview.chain')} value=${chain ? number(chain.height) : t('none')} note=${chain ? html`${t('overview.chain.note')} <${Time} at=${chain.at} />` : undefined} to=${href('/headers')} />
    <${Tile} label=${t('overview.logins')} value=${number(logins.completed)} note=${t('overview.logins.note', { failed: number(logins.failed), begun: number(logins.begun) })} />
    <${Tile} label=${t('overview.mails')} value=${number(now.mailsWaiting)} />
    ${disk && html`<${Tile} label=${t('overview.disk')} value=${bytes(disk.freeBytes / 1e9)} note=${t('overview.disk.note', { total: bytes(disk.totalBytes / 1e9) })} />`}
  </div>`
}

function Charts({ span }) {
  const [turn, setTurn] = useState(0)
  useEffect(() => {
    const timer = setInterval(() => setTurn((before) => before + 1), REFRESH_MS)
    return () => clearInterval(timer)
  }, [])
  const state = useLoad((signal) => get('/v1/admin/overview/history', { minutes: span, series: CHARTS.flatMap(([, names]) => names).join() }, { signal, isBackground: true }), [span, turn])
  return html`<${Loaded} state=${{ ...state, isLoading: false }}>${({ series }) => html`<div class="charts">${CHARTS.map(([name, members, format]) => {
    const shown = members.filter((member) => series[member]).map((member) => ({ label: t(`series.${member}`), points: series[member] }))
    return shown.length > 0 && html`<${Chart} key=${name} title=${t(`chart.${name}`)} series=${shown} format=${format} />`
  })}</div>`}<//>`
}

export default function Overview() {
  const state = useLoad((signal) => get('/v1/admin/overview', {}, { signal }), [])
  const wanted = place.value.query.get('minutes')
  const span = SPANS.includes(wanted) ? wanted : SPANS[0]
  const now = live.value ?? state.data
  return html`<${Page} title=${t('nav.overview')} lead=${t('overview.lead')}>
    <${Loaded} state=${{ ...state, data: now }}>${(data) => html`<${Alerts} alerts=${data.alerts} />
      <${Stages} records=${data.records} /><${Numbers} now=${data} />`}<//>
    <div class="over"><h2>${t('overview.charts')}</h2><${Tabs} label=${t('overview.span')} current=${span}
      tabs=${SPANS.map((minutes) => [minutes, t(`overview.span.${minutes}`), href(`/?minutes=${minutes}`)])} /></div>
    <${Charts} span=${span} />
  <//>`
}

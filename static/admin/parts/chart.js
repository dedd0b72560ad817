// Numbers over time. uPlot is brought only where a chart is; what it shows is said in words, too.

import { html, useEffect, useRef, useState } from './html.js'
import { language, number, t } from '../text/text.js'

const HEIGHT = 180
const COLOURS = ['--accent', '--busy', '--good', '--bad', '--warn']

let library = null

function bring() {
  library ??= Promise.all([
    import('../vendor/uplot.js'),
    new Promise((resolve, reject) => {
      const sheet = document.createElement('link')
      sheet.rel = 'stylesheet'
      sheet.href = new URL('../vendor/uplot.css', import.meta.url).pathname
      sheet.onload = resolve
      sheet.onerror = reject
      document.head.append(sheet)
    })
  ]).then(([module]) => module.default)
  library.catch(() => { library = null })
  return library
}

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim()

/** Brings series with times of their own onto one line of times. */
function align(series) {
  const times = [...new Set(series.flatMap(({ points }) => points.map(([at]) => at)))].sort((a, b) => a - b)
  const columns = series.map(({ points }) => {
    const byTime = new Map(points)
    return times.map((at) => byTime.get(at) ?? null)
  })
  return [times, ...columns]
}

const count = (value) => number(value, { maximumFractionDigits: 1, notation: 'compact' })
/** Steps of an axis that counts: there is no half of a record. */
const WHOLE = Array.from({ length: 10 }, (_, power) => [1, 2, 5].map((step) => step * 10 ** power)).flat()

const clock = (at) => new Intl.DateTimeFormat(language.value, { hour: '2-digit', minute: '2-digit' }).format(at * 1000)

function optionsOf(series, width, format) {
  const axis = { stroke: colour('--quiet'), grid: { stroke: colour('--line'), width: 1 }, ticks: { show: false }, font: '12px system-ui, sans-serif' }
  return {
    width, height: HEIGHT, legend: { show: false }, cursor: { y: false, drag: { x: false, y: false } },
    scales: { y: { range: (_, least, most) => [Math.min(0, least ?? 0), Math.max(1, (most ?? 0) * 1.15)] } },
    padding: [10, 26, 0, 0],
    axes: [
      { ...axis, size: 30, grid: { show: false }, values: (_, ticks) => ticks.map(clock), space: 70 },
      { ...axis, size: 56, ...(format === count ? { incrs: WHOLE } : {}), values: (_, ticks) => ticks.map((tick) => format(tick)) }
    ],
    series: [{}, ...series.map(({ label }, index) => ({ label, stroke: colour(COLOURS[index % COLOURS.length]), width: 2, points: { show: false }, spanGaps: false }))]
  }
}

const summary = (series, format) => series.map(({ label, points }) => {
  const values = points.map(([, value]) => value).filter((value) => value !== null)
  if (values.length === 0) return t('chart.nothing', { label })
  return t('chart.words', { label, least: format(Math.min(...values)), most: format(Math.max(...values)), last: format(values.at(-1)) })
}).join(' ')

/** A chart of `series`: `{label, points: [[unix seconds, value or null], …]}`. */
export function Chart({ title, series, format = count }) {
  const box = useRef(null)
  const chart = useRef(null)
  const [hasFailed, setFailed] = useState(false)
  const hasPoints = series.some(({ points }) => points.filter(([, value]) => value !== null).length > 1)
  useEffect(() => {
    if (!hasPoints) return undefined
    let isGone = false
    const scheme = matchMedia('(prefers-color-scheme: dark)')
    const draw = async () => {
      const UPlot = await bring()
      if (isGone || !box.current) return
      chart.current?.destroy()
      chart.current = new UPlot(optionsOf(series, box.current.clientWidth, format), align(series), box.current)
    }
    const tryDraw = () => draw().catch(() => setFailed(true))
    const observer = new ResizeObserver(([{ contentRect }]) => chart.current?.setSize({ width: contentRect.width, height: HEIGHT }))
    observer.observe(box.current)
    scheme.addEventListener('change', tryDraw)
    tryDraw()
    return () => {
      isGone = true
      observer.disconnect()
      scheme.removeEventListener('change', tryDraw)
      chart.current?.destroy()
      chart.current = null
    }
  }, [JSON.stringify(series)])
  return html`<figure class="chart"><figcaption><span>${title}</span>${series.length > 1 && html`<span class="legend">${series.map(({ label }, index) =>
    html`<span class=${`mark mark${index % COLOURS.length}`}>${label}</span>`)}</span>`}</figcaption>
    ${hasPoints && !hasFailed ? html`<div ref=${box} class="plot" role="img" aria-label=${summary(series, format)}></div>` : html`<p class="quiet nothing">${t('chart.none')}</p>`}
  </figure>`
}

// Times: how long ago in the text, exactly in local time and UTC under the pointer.

import { html, signal } from './html.js'
import { language, number, t } from '../text/text.js'

const STEPS = [['year', 31_536_000], ['month', 2_592_000], ['day', 86_400], ['hour', 3600], ['minute', 60]]
const TICK_MS = 5000

const now = signal(Date.now())
setInterval(() => { now.value = Date.now() }, TICK_MS)

/** Writes how far a time is from now. */
export function relative(at, from = now.value) {
  const secs = Math.round((new Date(at) - from) / 1000)
  const words = new Intl.RelativeTimeFormat(language.value, { numeric: 'auto' })
  const step = STEPS.find(([, size]) => Math.abs(secs) >= size)
  if (step) return words.format(Math.trunc(secs / step[1]), step[0])
  return Math.abs(secs) < 10 ? t('time.now') : words.format(secs, 'second')
}

const written = (at, zone) => new Intl.DateTimeFormat(language.value, {
  dateStyle: 'medium', timeStyle: 'medium', ...(zone ? { timeZone: zone } : {})
}).format(new Date(at))

/** Writes a time exactly, in local time. */
export const exact = (at) => written(at)

/** Writes a time exactly, in local time and in UTC. */
export const exactBoth = (at) => `${written(at)} · ${written(at, 'UTC')} UTC`

/** Shows a time; `full` shows it exactly with how long ago it was behind. */
export function Time({ at, full = false }) {
  if (!at) return html`<span class="quiet">${t('none')}</span>`
  const text = full ? `${exact(at)} (${relative(at)})` : relative(at)
  return html`<time datetime=${at} title=${exactBoth(at)}>${text}</time>`
}

/** Writes a number of seconds in its largest unit. */
export function duration(secs) {
  if (secs === null || secs === undefined) return t('none')
  const unit = (value, name) => number(value, { style: 'unit', unit: name, unitDisplay: 'short' })
  if (secs < 1) return unit(Math.round(secs * 1000), 'millisecond')
  const [name, size] = STEPS.slice(2).find(([, step]) => secs >= step) ?? ['second', 1]
  return unit(Math.round((secs / size) * 10) / 10, name)
}

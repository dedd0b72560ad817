// The certificate checks itself: the proof that stands in the page is read, every step is shown as it
// is taken, and what the page says is compared with what the proof says.

import { parseEmbedded } from './canonical.mjs'
import { check } from './check.mjs'

/** How long the check may keep the page from being drawn, in milliseconds. */
const LONGEST_PAUSE = 40
/** What a page may say by what its proof is worth. */
const VERDICTS = { anchored: 'proved', waiting: 'incomplete', withheld: 'incomplete', erased: 'incomplete', failed: 'failed' }
const OUTCOMES = ['ok', 'failed', 'not-checked']

const data = (id) => document.getElementById(id).textContent
const fill = (template, values) => template.replace(/\{(\w+)\}/g, (_, name) => values[name] ?? '')

function element(name, text, attributes = {}) {
  const made = document.createElement(name)
  made.textContent = text
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value)
  return made
}

function nameOf(subject, texts) {
  const [kind, number] = subject.split(' ')
  if (kind === 'record') return fill(texts.record, { number: Number(number) + 1 })
  return kind === 'block' ? fill(texts.block, { number }) : texts.whole
}

function row({ name, subject, outcome }, texts) {
  const made = document.createElement('tr')
  const said = texts.steps.find(([known]) => known === name)?.[1] ?? name
  made.append(
    element('th', said, { scope: 'row', 'data-step': name }),
    element('td', nameOf(subject, texts)),
    element('td', texts.outcomes[OUTCOMES.indexOf(outcome)], { class: outcome, 'data-outcome': outcome })
  )
  return made
}

/** Returns where the page says something else than the proof. */
function differences({ verdict, told }) {
  if (verdict === 'failed') return []
  const found = []
  const places = [...document.querySelectorAll('[data-proof]')]
  for (const place of places) {
    const name = place.dataset.proof
    if (place.textContent !== told[name]) found.push(place.dataset.label ?? name)
  }
  // What the proof says must stand somewhere.
  for (const name of ['uid', 'name', 'owner']) {
    if (told[name] !== undefined && !places.some((place) => place.dataset.proof === name)) found.push(name)
  }
  const state = document.querySelector('[data-state]').dataset.state
  if (VERDICTS[state] !== verdict) found.push(state)
  return found
}

const drawn = () => new Promise((resolve) => setTimeout(resolve))

async function run(texts, rows) {
  let paused = performance.now()
  let spent = 0
  const steps = check(parseEmbedded(data('proof')))
  for (;;) {
    const { done, value } = steps.next()
    if (done) return { ...value, milliseconds: Math.ceil(spent + performance.now() - paused) }
    rows.append(row(value, texts))
    if (performance.now() - paused < LONGEST_PAUSE) continue
    spent += performance.now() - paused
    await drawn()
    paused = performance.now()
  }
}

async function main() {
  const texts = JSON.parse(data('texts'))
  const section = document.getElementById('check')
  const verdict = document.getElementById('verdict')
  section.hidden = false
  verdict.textContent = texts.running
  const show = (kind, text) => {
    verdict.textContent = text
    section.dataset.verdict = kind
    document.documentElement.dataset.checked = kind
  }
  try {
    const result = await run(texts, document.getElementById('steps'))
    section.dataset.milliseconds = result.milliseconds
    const found = differences(result)
    if (result.verdict === 'failed') show('failed', texts.failed)
    else if (found.length > 0) show('failed', fill(texts.differs, { what: found.join(', ') }))
    else show(result.verdict, fill(texts[result.verdict], { ms: result.milliseconds }))
  } catch {
    show('failed', texts.failed)
  }
  if (section.dataset.verdict === 'failed') verdict.setAttribute('role', 'alert')
}

main()

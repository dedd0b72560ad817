// The list of products with 100,000 of them, on a machine four times slower: scrolled, turned and searched
// without the page standing still.

import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'

import { demo } from '../interop/demo.mjs'
import { launch, open, slowDown } from './chromium.mjs'
import { artefact, settled } from './console.mjs'
import { serve } from './server.mjs'

const PRODUCTS = Number(process.env.LIST_PRODUCTS ?? 100_000)
const PAGES = 10
const SLOWDOWN = 4
// Whoever scrolls sees a frame that is as late as this as a hitch; two of sixty in a second.
const MOST_LATE_MS = 50
const LATE_SHARE = 0.02
// A tenth of a second feels immediate (Nielsen 1993), and the browser is slowed down four times; the rest is the server.
const MOST_TURN_MS = 500
const API_KEY = 'a key for the tests of lists, long enough'
const headers = { 'x-api-key': API_KEY }

/** Registers all products by one import, as a brand would that comes from elsewhere. */
async function fill(base) {
  const owner = demo.owners[0].address
  const rows = Array.from({ length: PRODUCTS }, (_, n) => `LIST-${String(n).padStart(6, '0')},Jersey ${n},${owner}\n`)
  const sent = await fetch(new URL('v1/admin/imports?dryRun=false&name=all.csv', base), {
    method: 'POST', headers: { ...headers, 'content-type': 'text/csv' }, body: `uid_tag_id,name,owner\n${rows.join('')}`
  })
  const { id } = await sent.json()
  assert.ok(sent.ok && id, `the import is taken: ${sent.status}`)
  for (;;) {
    const state = await (await fetch(new URL(`v1/admin/imports/${id}`, base), { headers })).json()
    if (state.state === 'done') return
    assert.ok(['receiving', 'checked', 'running'].includes(state.state), JSON.stringify(state))
    await new Promise((resolve) => setTimeout(resolve, 500))
  }
}

/** Scrolls a page to its end and back, a notch of the wheel at a time; returns the gaps between frames in ms. */
async function scroll(page) {
  await page.evaluate(() => {
    const gaps = (globalThis.gaps = [])
    let last = performance.now()
    globalThis.isWatching = true
    requestAnimationFrame(function look(now) {
      gaps.push(now - last)
      last = now
      if (globalThis.isWatching) requestAnimationFrame(look)
    })
  })
  await page.mouse.move(640, 400)
  for (const notch of [...Array(25).fill(120), ...Array(25).fill(-120)]) {
    await page.mouse.wheel(0, notch)
    await page.waitForTimeout(30)
  }
  return page.evaluate(() => {
    globalThis.isWatching = false
    return globalThis.gaps.slice(1)
  })
}

describe(`a list of ${PRODUCTS} products`, () => {
  let browser
  let fresh
  let page
  before(async () => {
    fresh = await serve({ API_KEY })
    await fill(fresh.base)
    browser = await launch()
    ;({ page } = await open(browser, await fresh.command('admin', 'setup-link'), { viewport: { width: 1280, height: 800 } }))
    await page.waitForSelector('input[autocomplete="new-password"]')
    await page.fill('input[autocomplete="username"]', 'Ada')
    await page.fill('input[autocomplete="new-password"]', 'a sentence to remember')
    await page.keyboard.press('Enter')
    await page.waitForSelector('nav#navigation', { state: 'attached' })
    await page.goto(new URL('admin/patches', fresh.base).href)
    await settled(page)
    const devtools = await page.context().newCDPSession(page)
    await slowDown(page, devtools, SLOWDOWN)
  })
  after(async () => {
    await browser.close()
    await fresh.stop()
  })

  test('scrolls without jank', async () => {
    assert.match(await page.innerText('.exports'), new RegExp(PRODUCTS.toLocaleString('en')))
    const gaps = (await scroll(page)).sort((a, b) => a - b)
    const late = gaps.filter((gap) => gap > MOST_LATE_MS).length / gaps.length
    const at = (share) => gaps[Math.floor((gaps.length - 1) * share)].toFixed(1)
    console.log(`${gaps.length} frames: p50 ${at(0.5)} ms, p95 ${at(0.95)} ms, longest ${at(1)} ms`)
    assert.ok(gaps.length > 50, 'there were frames to look at')
    assert.ok(late <= LATE_SHARE, `${(late * 100).toFixed(1)} % of the frames were later than ${MOST_LATE_MS} ms`)
  })

  test('turns its pages at once', async () => {
    const times = []
    let first = await page.innerText('tbody tr:first-child .main a')
    for (let n = 0; n < PAGES; n++) {
      // From the click to the frame that shows the other rows.
      const took = await page.evaluate(async (before) => {
        const begun = performance.now()
        document.querySelector('.pager .next').click()
        while (document.querySelector('tbody tr:first-child .main a')?.innerText === before) await new Promise(requestAnimationFrame)
        return performance.now() - begun
      }, first)
      times.push(took)
      first = await page.innerText('tbody tr:first-child .main a')
    }
    times.sort((a, b) => a - b)
    console.log(`a page turns in ${times[PAGES / 2].toFixed(0)} ms, the slowest in ${times.at(-1).toFixed(0)} ms`)
    assert.equal(first, `LIST-${String(PAGES * 50).padStart(6, '0')}`)
    assert.ok(times[PAGES / 2] <= MOST_TURN_MS, `${times[PAGES / 2]} ms`)
  })

  test('finds one of them', async () => {
    const last = `LIST-${String(PRODUCTS - 1).padStart(6, '0')}`
    await page.fill('#search', last)
    await page.waitForFunction((tag) => document.querySelector('tbody tr .main a')?.innerText === tag, last, { timeout: 20_000 })
    await page.screenshot({ path: artefact('console-list-found.png') })
  })
})

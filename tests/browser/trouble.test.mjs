// The pages one looks at when something is wrong, with something wrong: one of two endpoints fails, the log
// says so, the doctor has found what else there is.

import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'

import { demo } from '../interop/demo.mjs'
import { launch, open } from './chromium.mjs'
import { artefact, settled } from './console.mjs'
import { serve } from './server.mjs'

const WIDTHS = [360, 768, 1280]
const faults = (method, body) => fetch(new URL('/sim/faults', demo.chainUrl), {
  method, headers: { 'content-type': 'application/json' }, body: body && JSON.stringify(body)
})

describe('with an endpoint that fails', () => {
  let browser
  let fresh
  let storageState
  before(async () => {
    fresh = await serve({ ARC_URL: demo.arcUrl, LOG_LEVEL: 'info' })
    browser = await launch()
    const { context, page } = await open(browser, await fresh.command('admin', 'setup-link'))
    await page.waitForSelector('input[autocomplete="new-password"]')
    await page.fill('input[autocomplete="username"]', 'Ada')
    await page.fill('input[autocomplete="new-password"]', 'a sentence to remember')
    await page.keyboard.press('Enter')
    await page.waitForSelector('nav#navigation', { state: 'attached' })
    storageState = await context.storageState()
    // ARC goes on answering; the other is asked for headers all the time.
    await faults('POST', { fault: { kind: 'unavailable' }, occurrence: 'always' })
    await context.close()
  })
  after(async () => {
    await faults('DELETE')
    await browser.close()
    await fresh.stop()
  })

  for (const colorScheme of ['light', 'dark']) {
    for (const width of WIDTHS) {
      test(`networks, logs and system at ${width} pixels, ${colorScheme}`, async () => {
        const options = { colorScheme, storageState, viewport: { width, height: 900 } }
        const { context, page, seen } = await open(browser, 'about:blank', options)
        for (const [name, path, proof] of [
          ['networks', 'admin/networks', 'tbody .stage.bad'],
          ['logs', 'admin/logs', 'tbody .stage'],
          ['system', 'admin/system', '.findings .stage.warn, .findings .stage.bad']
        ]) {
          await page.goto(new URL(path, fresh.base).href)
          await settled(page)
          await page.waitForSelector(proof)
          await page.screenshot({ path: artefact(`console-trouble-${name}-${colorScheme}-${width}.png`), fullPage: true })
          const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)
          assert.ok(overflow <= 0, `${name} is ${overflow} pixels too wide`)
        }
        assert.deepEqual([seen.violations, seen.errors], [[], []])
        await context.close()
      })
    }
  }
})

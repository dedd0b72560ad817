// The documents in a real Chromium: small and large screens, light and dark, by the keyboard.

import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'

import { demo } from '../interop/demo.mjs'
import { flaws, launch, open } from './chromium.mjs'

const artefact = (name) => join(process.env.ARTEFACTS, name)
const address = (name) => new URL(`docs/guide${name && `/${name}`}`, demo.baseUrl).href

/** The index, a document of words and tables, one of drawings, one of many sections. */
const PAGES = ['', 'api', 'claims', 'configuration', 'getting-started', 'svd-auth']

describe('the documents in Chromium', () => {
  let browser
  before(async () => { browser = await launch() })
  after(() => browser.close())

  test('are under their policy, have no script, and ask nobody else', async () => {
    for (const name of PAGES) {
      const { context, page, seen } = await open(browser, address(name))
      assert.deepEqual([seen.violations, seen.errors], [[], []], name)
      assert.equal(await page.locator('script').count(), 0)
      assert.ok(seen.requests.every((url) => url.startsWith(demo.baseUrl)), seen.requests.join())
      await context.close()
    }
  })

  test('fit 360 pixels, and nothing is cut off on any screen', async () => {
    for (const width of [360, 768, 1280]) {
      for (const name of PAGES) {
        const { context, page } = await open(browser, address(name), { viewport: { width, height: 800 } })
        const wide = await page.evaluate(() => document.documentElement.scrollWidth)
        assert.ok(wide <= width, `${name || 'index'} is ${wide} pixels wide on ${width}`)
        await page.screenshot({ path: artefact(`guide-${name || 'index'}-${width}.png`) })
        await context.close()
      }
    }
  })

  test('have no flaw that axe finds, in light and dark', async () => {
    for (const colorScheme of ['light', 'dark']) {
      for (const name of PAGES) {
        for (const width of [360, 1280]) {
          const found = await flaws(browser, address(name), { colorScheme, viewport: { width, height: 800 } })
          assert.deepEqual(found, [], `${name || 'index'} ${colorScheme} ${width}`)
        }
      }
    }
  })

  test('are walked by the keyboard, and a section has its own address', async () => {
    const { context, page } = await open(browser, address('svd-auth'))
    await page.keyboard.press('Tab')
    await page.keyboard.press('Enter')
    assert.equal(new URL(page.url()).hash, '#text')
    await page.focus('.contents summary')
    await page.keyboard.press('Enter')
    await page.click('.contents a[href="#words-on-the-wire"]')
    assert.equal(new URL(page.url()).hash, '#words-on-the-wire')
    assert.equal(await page.textContent(':target'), 'Words on the wire #')
    await context.close()
  })

  test('are a step away from the explorer of the API', async () => {
    const { context, page, seen } = await open(browser, new URL('docs', demo.baseUrl).href)
    await page.waitForSelector('#explorer .opblock')
    await page.screenshot({ path: artefact('explorer.png') })
    assert.deepEqual([seen.violations, seen.errors], [[], []])
    await page.click('nav a[href="/docs/guide"]')
    await page.waitForSelector('h1#documents')
    await context.close()
  })
})

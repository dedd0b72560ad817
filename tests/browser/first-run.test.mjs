// The first admin of a fresh server: comes by the one-time link, in a real Chromium, and once.

import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'

import { launch, open } from './chromium.mjs'
import { artefact } from './console.mjs'
import { serve } from './server.mjs'

const isGone = (text) => text.includes('410') || text.includes('401')

describe('a fresh server', () => {
  let browser
  let fresh
  const command = (...words) => fresh.command(...words)

  before(async () => {
    fresh = await serve()
    browser = await launch()
  })
  after(async () => {
    await browser.close()
    await fresh.stop()
  })

  /** Opens a link that opens nothing; returns what the page says. */
  async function openGone(link, name, options = {}) {
    const { context, page } = await open(browser, link, options)
    await page.waitForSelector('.door code')
    assert.equal(await page.locator('input').count(), 0, 'nobody fills in a form for nothing')
    await page.screenshot({ path: artefact(`console-link-gone-${name}.png`) })
    const text = await page.innerText('.door .card')
    await page.keyboard.press('Tab')
    await page.click('.door button.primary')
    await page.waitForSelector('input[autocomplete="current-password"]')
    await context.close()
    return text
  }

  test('is set up by the newest link, once, by whoever is shown in', async () => {
    const older = await command('admin', 'setup-link')
    const link = await command('admin', 'setup-link')
    assert.ok(link.startsWith(`${fresh.base}admin#setup=`), link)
    assert.match(await openGone(older, 'older'), /there is a newer one/)

    const { context, page, seen } = await open(browser, link)
    await page.waitForSelector('input[autocomplete="new-password"]')
    assert.ok(!page.url().includes('#'), 'the token is in no address')
    await page.screenshot({ path: artefact('console-setup.png') })
    await page.waitForFunction(() => document.activeElement.autocomplete === 'username')
    await page.keyboard.type('Ada')
    await page.keyboard.press('Tab')
    await page.keyboard.type('too short')
    await page.keyboard.press('Enter')
    await page.waitForSelector('.field .error')
    await page.keyboard.type(' no longer')
    await page.keyboard.press('Enter')
    await page.waitForSelector('nav#navigation', { state: 'attached' })
    await page.waitForSelector('.tiles')
    await page.screenshot({ path: artefact('console-first-page.png'), fullPage: true })
    const session = await page.evaluate(() => fetch('/v1/admin/session').then((answer) => answer.json()))
    assert.deepEqual([session.account.name, session.account.role, session.method], ['Ada', 'admin', 'link'])
    assert.deepEqual([seen.violations.filter((text) => !isGone(text)), seen.errors], [[], []])
    // Logged out there is the login again, and not the link that is used up.
    await page.click('.links button >> nth=0')
    await page.waitForSelector('input[autocomplete="current-password"]')
    await context.close()

    const said = await openGone(link, 'used')
    assert.match(said, /It was used/)
    assert.match(said, /patchproof admin setup-link/)
    assert.match(await openGone(link, 'used-de', { locale: 'de-DE' }), /gilt nicht mehr/)
  })

  test('a link for another password names the account, and is good once, too', async () => {
    const link = await command('admin', 'reset', 'Ada')
    const { context, page } = await open(browser, link)
    await page.waitForSelector('input[autocomplete="new-password"]')
    assert.equal(await page.inputValue('input[autocomplete="username"]'), 'Ada')
    await page.waitForFunction(() => document.activeElement.autocomplete === 'new-password')
    await page.screenshot({ path: artefact('console-reset.png') })
    await page.keyboard.type('another sentence')
    await page.keyboard.press('Enter')
    await page.waitForSelector('nav#navigation', { state: 'attached' })
    await context.close()
    assert.match(await openGone(link, 'reset'), /admin reset/)
  })
})

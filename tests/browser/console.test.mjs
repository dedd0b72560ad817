// The console in a real Chromium: every page at three widths in both schemes, by keyboard, in German.

import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'

import { Owner, PatchProof } from '../../static/sdk/patchproof.mjs'
import { call, demo, freshTag, products, register, until, verify } from '../interop/demo.mjs'
import { launch, open } from './chromium.mjs'

const AXE = readFileSync(new URL('./node_modules/axe-core/axe.min.js', import.meta.url), 'utf8')
const MOST_BYTES = 120_000
const MOST_MILLISECONDS = 1000
const SLOWDOWN = 4
const LIVE_MILLISECONDS = 1500
const WIDTHS = [360, 768, 1280]
const SCHEMES = ['light', 'dark']
const SOMEBODY = 'mpx4EvUchH6HDeqxV3caxbq58DKJzKL22W'
const PAGES = {
  overview: '/admin', patches: '/admin/patches', register: '/admin/register', records: '/admin/records?stage=final',
  attention: '/admin/records', claims: '/admin/claims', anchors: '/admin/anchors', pool: '/admin/pool', headers: '/admin/headers',
  networks: '/admin/networks', keys: '/admin/keys', people: '/admin/people', settings: '/admin/settings', audit: '/admin/audit',
  logs: '/admin/logs', system: '/admin/system', me: '/admin/me', nothing: '/admin/no/such/page'
}

/** What the browser notes by itself where nobody is logged in yet. */
const isNote = (text) => text.includes('401')
const artefact = (name) => join(process.env.ARTEFACTS, name)
const address = (path) => new URL(path, demo.baseUrl).href

/** Waits until a page has a heading and nothing of it is on its way. */
async function settled(page) {
  await page.waitForSelector('h1')
  await page.waitForFunction(() => !document.querySelector('.loading, [aria-busy="true"]'))
}

/** Opens a page; the stream never ends, so a quiet network is not waited for. */
async function visit(page, path) {
  await page.goto(address(path), { waitUntil: 'load' })
  await settled(page)
}

async function logIn(page) {
  await page.goto(address('/admin'))
  await page.fill('input[autocomplete="username"]', demo.consoleUser)
  await page.fill('input[type="password"]', demo.consolePassword)
  await page.press('input[type="password"]', 'Enter')
  await page.waitForSelector('nav#navigation', { state: 'attached' })
}

/** Returns a session's cookies, so that few passwords are tried. */
async function sessionOf(browser) {
  const { context, page } = await open(browser, address('/admin'))
  await logIn(page)
  const state = await context.storageState()
  await context.close()
  return state
}

async function seriousFlaws(page) {
  const { violations } = await page.evaluate(() => globalThis.axe.run())
  return violations
    .filter(({ impact }) => ['serious', 'critical'].includes(impact))
    .map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 120)).join(' | ')}`)
}

describe('the console in Chromium', () => {
  let browser
  let storageState
  let patch

  before(async () => {
    browser = await launch()
    storageState = await sessionOf(browser)
    patch = `/admin/patches/${encodeURIComponent((await products())[0].uid_tag_id)}`
  })
  after(() => browser.close())

  /** Loads the first page on a slow machine; returns bytes over the wire and milliseconds. */
  async function loadFirst() {
    const context = await browser.newContext({ storageState })
    const page = await context.newPage()
    const devtools = await context.newCDPSession(page)
    let bytes = 0
    await devtools.send('Network.enable')
    devtools.on('Network.loadingFinished', ({ encodedDataLength }) => (bytes += encodedDataLength))
    await devtools.send('Emulation.setCPUThrottlingRate', { rate: SLOWDOWN })
    await page.goto(address('/admin'), { waitUntil: 'commit' })
    const ready = await page.waitForFunction(() => document.querySelector('.tiles.stages') && performance.now())
    const milliseconds = await ready.jsonValue()
    await page.waitForSelector('.chart canvas')
    await settled(page)
    await context.close()
    return { bytes, milliseconds }
  }

  test('first load is small, and ready within a second on a slow machine', async () => {
    // Charts are part of it, as soon as there are numbers to show.
    await until('the charts have numbers', async () => {
      const { json } = await call('GET', 'v1/admin/overview/history?series=pool.availableCount', { apiKey: true })
      return json.series['pool.availableCount'].length > 1
    })
    const loads = [await loadFirst(), await loadFirst(), await loadFirst()].sort((a, b) => a.milliseconds - b.milliseconds)
    const { bytes, milliseconds } = loads[1]
    console.log(`${bytes} bytes over the wire, ready after ${Math.round(milliseconds)} ms, the median of ${loads.length}`)
    assert.ok(bytes > 0 && bytes <= MOST_BYTES, `${bytes} bytes`)
    assert.ok(milliseconds <= MOST_MILLISECONDS, `${milliseconds} ms`)
  })

  for (const colorScheme of SCHEMES) {
    for (const width of WIDTHS) {
      test(`every page at ${width} pixels, ${colorScheme}`, async () => {
        const options = { colorScheme, storageState, viewport: { width, height: 900 } }
        const { context, page, seen } = await open(browser, 'about:blank', options)
        for (const [name, path] of Object.entries({ ...PAGES, patch })) {
          await visit(page, path)
          await page.screenshot({ path: artefact(`console-${name}-${colorScheme}-${width}.png`), fullPage: true })
          const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)
          assert.ok(overflow <= 0, `${name} is ${overflow} pixels too wide`)
        }
        assert.deepEqual([seen.violations, seen.errors], [[], []])
        assert.ok(seen.requests.every((url) => url.startsWith(demo.baseUrl) || url === 'about:blank'), seen.requests.join())
        await context.close()
      })

      test(`axe finds nothing serious at ${width} pixels, ${colorScheme}`, async () => {
        // Its script is brought in past the policy, which is the page's own.
        const options = { colorScheme, storageState, viewport: { width, height: 900 }, bypassCSP: true }
        const { context, page } = await open(browser, 'about:blank', options)
        const found = {}
        for (const [name, path] of Object.entries({ ...PAGES, patch })) {
          await visit(page, path)
          await page.evaluate(AXE)
          const flaws = await seriousFlaws(page)
          if (flaws.length > 0) found[name] = flaws
        }
        assert.deepEqual(found, {})
        await context.close()
      })
    }
  }

  test('the door opens by the keyboard alone, and says why where it does not', async () => {
    const { context, page, seen } = await open(browser, address('/admin'))
    await page.waitForSelector('h1')
    assert.equal(await page.evaluate(() => document.activeElement.autocomplete), 'username')
    await page.screenshot({ path: artefact('console-login.png') })
    await page.keyboard.type(demo.consoleUser)
    await page.keyboard.press('Tab')
    await page.keyboard.type('not the password at all')
    await page.keyboard.press('Enter')
    await page.waitForSelector('.problem code')
    await page.screenshot({ path: artefact('console-login-refused.png') })
    await page.keyboard.press('Control+A')
    await page.keyboard.type(demo.consolePassword)
    await page.keyboard.press('Enter')
    await page.waitForSelector('nav#navigation')
    await settled(page)
    await page.keyboard.press('g')
    await page.keyboard.press('p')
    await page.waitForURL('**/admin/patches')
    await settled(page)
    assert.equal(await page.evaluate(() => document.activeElement.tagName), 'H1')
    for (const [key, path] of [['u', 'pool'], ['p', 'patches']]) {
      await page.keyboard.press('g')
      await page.keyboard.press(key)
      await page.waitForURL(`**/admin/${path}`)
      await settled(page)
      assert.equal(await page.locator('h1').count(), 1, 'a page is shown again, too')
    }
    assert.deepEqual(seen.errors, [])
    await page.keyboard.press('/')
    assert.equal(await page.evaluate(() => document.activeElement.type), 'search')
    await page.keyboard.press('Tab')
    await page.keyboard.press('?')
    assert.equal(await page.locator('dialog[open]').count(), 0, 'no shortcut while a field has the focus')
    await page.locator('h1').focus()
    await page.keyboard.press('?')
    await page.waitForSelector('dialog[open]')
    await page.screenshot({ path: artefact('console-shortcuts.png') })
    await page.keyboard.press('Escape')
    await page.waitForSelector('dialog', { state: 'detached' })
    assert.deepEqual(seen.violations.filter((text) => !isNote(text)), [])
    await context.close()
  })

  test('a product that is registered elsewhere is shown within a second', async () => {
    const { context, page } = await open(browser, 'about:blank', { storageState })
    await visit(page, '/admin/patches?search=LIVE')
    await page.waitForSelector('.stream.on')
    const tag = freshTag('LIVE')
    await register(tag, { address: SOMEBODY })
    await page.waitForSelector(`text=${tag}`, { timeout: LIVE_MILLISECONDS })
    await context.close()
  })

  test('a product is registered, found, and its proof checked in the browser', async () => {
    const { context, page, seen } = await open(browser, 'about:blank', { storageState })
    await visit(page, '/admin/register')
    const tag = freshTag('CONSOLE')
    await page.fill('input[required] >> nth=0', 'x')
    await page.waitForSelector('.field .error')
    await page.fill('input[required] >> nth=0', tag)
    await page.fill('input[required] >> nth=1', SOMEBODY)
    await page.screenshot({ path: artefact('console-register-filled.png'), fullPage: true })
    await page.click('button[type="submit"]')
    await page.click('.card .actions a')
    await settled(page)
    await page.click('.check-now button')
    await page.waitForSelector('.check-now .steps', { state: 'attached' })
    await page.click('.check-now summary')
    await page.screenshot({ path: artefact('console-checked.png'), fullPage: true })
    assert.equal(await page.locator('.check-now .stage.bad').count(), 0)
    assert.deepEqual([seen.violations, seen.errors], [[], []])
    await context.close()
  })

  test('a setting is changed and taken back', async () => {
    const { context, page } = await open(browser, 'about:blank', { storageState })
    await visit(page, '/admin/settings')
    const shown = () => page.locator('td.number strong').first().innerText()
    const before = await shown()
    await page.click('tbody button >> nth=0')
    await page.fill('dialog input', '1')
    await page.waitForSelector('dialog .error')
    await page.fill('dialog input', '600')
    await page.click('dialog button.primary')
    await page.waitForFunction(() => document.querySelector('td.number strong')?.textContent === '600')
    await page.screenshot({ path: artefact('console-undo.png') })
    await page.click('.toast button >> nth=0')
    await page.waitForFunction((text) => document.querySelector('td.number strong')?.textContent === text, before)
    await context.close()
  })

  test('a key is made, shown once, and revoked after a question', async () => {
    const { context, page } = await open(browser, 'about:blank', { storageState })
    await visit(page, '/admin/keys')
    await page.click('.head button.primary')
    await page.fill('dialog input[required]', 'Till 3')
    await page.screenshot({ path: artefact('console-key-form.png') })
    await page.click('dialog button.primary')
    const key = await page.innerText('.secret code')
    assert.match(key, /^pp_/)
    await page.screenshot({ path: artefact('console-key-issued.png') })
    await page.click('dialog footer button')
    await page.click('tbody button.danger')
    await page.screenshot({ path: artefact('console-revoke.png') })
    await page.click('dialog button.danger')
    await page.waitForSelector('tbody .stage.bad')
    await context.close()
  })

  test('a cashier comes by a link, sees the counter alone, and hands a product over', async () => {
    const secret = randomBytes(32).toString('hex')
    const [shop, customer] = [new Owner(secret), Owner.random()]
    const { context: admins, page: people } = await open(browser, 'about:blank', { storageState })
    await visit(people, '/admin/people')
    await people.click('.head button.primary')
    await people.fill('dialog input', 'Cora')
    await people.selectOption('dialog select', 'cashier')
    await people.fill('dialog input.mono', shop.address(demo.network))
    await people.click('dialog button.primary')
    const link = await people.innerText('.secret code')
    await people.screenshot({ path: artefact('console-person-link.png') })
    await admins.close()
    const tag = freshTag('COUNTER')
    await register(tag, { address: shop.address(demo.network) })
    const { claimId } = await new PatchProof(demo.baseUrl).claim(tag, customer, demo.network)
    const { context, page, seen } = await open(browser, link, { viewport: { width: 360, height: 740 } })
    await page.waitForSelector('input[type="password"]')
    assert.ok(!page.url().includes('#'), 'the token is in no address')
    await page.screenshot({ path: artefact('console-link.png') })
    await page.fill('input[type="password"]', 'a sentence to remember')
    await page.press('input[type="password"]', 'Enter')
    await page.waitForURL('**/admin/claims')
    assert.equal(await page.locator('nav#navigation a[href="/admin/patches"]').count(), 0)
    await page.waitForSelector('.claim')
    await page.screenshot({ path: artefact('console-counter-360.png') })
    await page.fill('.counter input', claimId)
    await page.click('.counter button')
    await page.waitForSelector('dialog .huge')
    await page.screenshot({ path: artefact('console-claim-360.png') })
    await page.click('dialog .huge')
    await page.fill('dialog input[type="password"]', secret)
    await page.click('dialog dialog button.primary, dialog form button.primary')
    await page.waitForSelector('dialog .stage.good')
    await page.screenshot({ path: artefact('console-claimed-360.png') })
    await until('the product is the customer’s', async () =>
      (await verify(tag)).verificationDetails.owner === customer.address(demo.network))
    assert.deepEqual([seen.violations.filter((text) => !isNote(text)), seen.errors], [[], []])
    await context.close()
  })

  test('speaks German wherever the browser does', async () => {
    const { context, page, seen } = await open(browser, 'about:blank', { storageState, locale: 'de-DE' })
    await visit(page, '/admin')
    assert.equal(await page.getAttribute('html', 'lang'), 'de')
    assert.equal(await page.innerText('h1'), 'Überblick')
    await page.screenshot({ path: artefact('console-overview-de.png'), fullPage: true })
    await page.click('button[lang="en"]')
    await page.waitForFunction(() => document.querySelector('h1')?.textContent === 'Overview')
    assert.deepEqual(seen.violations, [])
    await context.close()
  })

  test('both languages have the same sentences', async () => {
    const [en, de] = await Promise.all(['en', 'de'].map(async (name) => {
      const parts = await Promise.all(['shared', 'pages'].map(async (part) => {
        const text = readFileSync(new URL(`../../static/admin/text/${name}/${part}.js`, import.meta.url), 'utf8')
        return (await import(`data:text/javascript,${encodeURIComponent(text)}`)).default
      }))
      return Object.assign({}, ...parts)
    }))
    assert.deepEqual(Object.keys(de).sort(), Object.keys(en).sort())
  })

  test('whoever logs out is out, and a session that ended says so', async () => {
    const { context, page } = await open(browser, address('/admin'))
    await logIn(page)
    await settled(page)
    const outside = await fetch(address('v1/admin/sessions'), { headers: { 'x-api-key': demo.apiKey } })
    const { items } = await outside.json()
    await fetch(address(`v1/admin/sessions/${items[0].id}`), { method: 'DELETE', headers: { 'x-api-key': demo.apiKey } })
    await page.click('nav a[href="/admin/pool"]')
    await page.waitForSelector('.door .notice')
    await page.screenshot({ path: artefact('console-expired.png') })
    assert.ok(page.url().endsWith('/admin/pool'), 'the address stays, to go on there')
    await context.close()
  })
})

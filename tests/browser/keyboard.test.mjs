// Every task by keys alone: what has the focus shows it, and it goes back to where it came from.

import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { after, before, describe, test } from 'node:test'

import { Owner, PatchProof } from '../../static/sdk/patchproof.mjs'
import { call, demo, freshTag, register, until, verify } from '../interop/demo.mjs'
import { launch, open } from './chromium.mjs'
import { address, artefact, isNote, sessionOf, settled, visit } from './console.mjs'

const SOMEBODY = 'mpx4EvUchH6HDeqxV3caxbq58DKJzKL22W'
/** More stops than any page has. */
const MOST_STOPS = 120
const FEE_TOO_LOW = { kind: 'refuse', status: 400, body: 'unexpected response code 500: 66: mempool min fee not met' }

const faults = (method, body) => fetch(new URL('/sim/faults', demo.chainUrl), {
  method, headers: { 'content-type': 'application/json' }, body: body && JSON.stringify(body)
})

/** Goes on with Tab until `selector` has the focus; every stop on the way must be seen to have it. */
async function tabTo(page, selector, key = 'Tab') {
  for (let stop = 0; stop < MOST_STOPS; stop++) {
    await page.keyboard.press(key)
    const at = await page.evaluate((wanted) => {
      const it = document.activeElement
      const style = getComputedStyle(it)
      const isSeen = it === document.body || (style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) > 0)
      const box = it.getBoundingClientRect()
      const isInside = it === document.body || (box.bottom > 0 && box.top < innerHeight)
      return { isThere: it.matches(wanted), isSeen, isInside, what: it.outerHTML.slice(0, 120) }
    }, selector)
    assert.ok(at.isSeen, `the focus does not show on ${at.what}`)
    assert.ok(at.isInside, `the focus is outside of what is seen, on ${at.what}`)
    if (at.isThere) return
  }
  assert.fail(`no way by Tab to ${selector}`)
}

const focused = (page, selector) => page.waitForFunction((wanted) => document.activeElement.matches(wanted), selector)

/** Goes to a page by its shortcut. */
async function shortcut(page, key, path) {
  await page.keyboard.press('g')
  await page.keyboard.press(key)
  await page.waitForURL(address(path))
  await settled(page)
  await focused(page, 'h1')
}

describe('by keys alone', () => {
  let browser
  let storageState
  before(async () => {
    browser = await launch()
    storageState = await sessionOf(browser)
  })
  after(() => browser.close())

  async function begin() {
    const opened = await open(browser, 'about:blank', { storageState })
    await visit(opened.page, '/admin')
    await opened.page.waitForSelector('nav#navigation a')
    return opened
  }

  const isClean = ({ violations, errors }) =>
    assert.deepEqual([violations.filter((text) => !isNote(text)), errors], [[], []])

  test('a product is registered', async () => {
    const { context, page, seen } = await begin()
    await shortcut(page, 'n', '/admin/register')
    const tag = freshTag('KEYS')
    await tabTo(page, 'form.form input')
    await page.keyboard.type(tag)
    await page.keyboard.press('Tab')
    await page.keyboard.type(SOMEBODY)
    await tabTo(page, 'form.form button[type="submit"]')
    await page.keyboard.press('Enter')
    await page.waitForSelector('.card .actions a')
    // The form is gone, and with it what had the focus.
    await focused(page, 'h1')
    await tabTo(page, '.card .actions a')
    await page.keyboard.press('Enter')
    await page.waitForURL(address(`/admin/patches/${encodeURIComponent(tag)}`))
    await settled(page)
    await tabTo(page, '.check-now button')
    await page.keyboard.press('Space')
    await page.waitForSelector('.check-now .steps', { state: 'attached' })
    isClean(seen)
    await context.close()
  })

  test('a setting is changed and taken back', async () => {
    const { context, page, seen } = await begin()
    await shortcut(page, 's', '/admin/settings')
    const shown = () => page.locator('td.number strong').first().innerText()
    const before = await shown()
    const edit = 'tbody tr:first-child button'
    await tabTo(page, edit)
    await page.keyboard.press('Enter')
    await focused(page, 'dialog input')
    await page.keyboard.press('Escape')
    await focused(page, edit)
    await page.keyboard.press('Space')
    await focused(page, 'dialog input')
    await page.keyboard.press('Control+A')
    await page.keyboard.type('611')
    await page.keyboard.press('Enter')
    await page.waitForFunction(() => document.querySelector('td.number strong')?.textContent === '611')
    await focused(page, edit)
    await tabTo(page, '.toast button:not(.close)')
    await page.keyboard.press('Enter')
    await page.waitForFunction((text) => document.querySelector('td.number strong')?.textContent === text, before)
    isClean(seen)
    await context.close()
  })

  test('a session is ended after a question', async () => {
    const other = await sessionOf(browser)
    const { context, page, seen } = await begin()
    await tabTo(page, 'footer .who a', 'Shift+Tab')
    await page.keyboard.press('Enter')
    await page.waitForURL(address('/admin/me'))
    await settled(page)
    await page.waitForSelector('tbody tr')
    // The newest that is not this one is the other's.
    const at = await page.evaluate(() => [...document.querySelectorAll('tbody tr')].findIndex((row) => !row.querySelector('td.main .quiet')))
    const button = `tbody tr:nth-child(${at + 1}) button`
    await tabTo(page, button)
    await page.keyboard.press('Enter')
    await page.waitForSelector('dialog[open]')
    await focused(page, 'dialog *')
    await page.keyboard.press('Escape')
    await focused(page, button)
    await page.keyboard.press('Enter')
    await tabTo(page, 'dialog button.danger')
    await page.screenshot({ path: artefact('console-keys-question.png') })
    await page.keyboard.press('Enter')
    await page.waitForSelector('dialog', { state: 'detached' })
    await page.waitForSelector('.toast.good')
    const cookie = other.cookies.filter(({ name }) => name.endsWith('session')).map(({ name, value }) => `${name}=${value}`)
    await until('the session has ended', async () =>
      (await fetch(address('v1/admin/session'), { headers: { cookie: cookie.join() } })).status === 401)
    await focused(page, 'h1, tbody button')
    isClean(seen)
    await context.close()
  })

  test('a job that is held is taken up again', async () => {
    const tag = freshTag('HELD')
    await faults('POST', { fault: FEE_TOO_LOW, class: 'broadcast', occurrence: 'always' })
    const json = { product: { uid_tag_id: tag }, auth: { owner: SOMEBODY } }
    const accepted = await call('POST', 'v1/patches', { apiKey: true, json, headers: { prefer: 'respond-async' } })
    assert.equal(accepted.status, 202)
    await until('it is held', async () => {
      const { json: { items } } = await call('GET', 'v1/admin/records?stage=held', { apiKey: true })
      return items.some((item) => item.uid_tag_id === tag)
    })
    await faults('DELETE')
    const { context, page, seen } = await begin()
    await shortcut(page, 'r', '/admin/records')
    await page.waitForSelector(`td a:text-is("${tag}")`)
    await tabTo(page, 'tbody tr:first-child button')
    await page.screenshot({ path: artefact('console-keys-held.png') })
    await page.keyboard.press('Enter')
    await page.waitForSelector('dialog[open]')
    await tabTo(page, 'dialog button.primary')
    await page.keyboard.press('Enter')
    await page.waitForSelector('.toast.good')
    await page.waitForSelector(`td a:text-is("${tag}")`, { state: 'detached' })
    await focused(page, 'h1')
    await until('it is confirmed', async () => (await verify(tag)).status === 'authentic')
    isClean(seen)
    await context.close()
  })

  test('a claim is approved at the counter', async () => {
    const secret = randomBytes(32).toString('hex')
    const [shop, customer] = [new Owner(secret), Owner.random()]
    const json = { name: `Kay ${process.pid}`, role: 'cashier', shop: shop.address(demo.network) }
    const { json: made } = await call('POST', 'v1/admin/accounts', { apiKey: true, json })
    const tag = freshTag('COUNTERKEYS')
    await register(tag, { address: shop.address(demo.network) })
    await new PatchProof(demo.baseUrl).claim(tag, customer, demo.network)
    const { context, page, seen } = await open(browser, made.link.url)
    await focused(page, 'input[type="password"]')
    await page.keyboard.type('a sentence to remember')
    await page.keyboard.press('Enter')
    await page.waitForURL('**/admin/claims')
    await page.waitForSelector('.claim')
    await tabTo(page, '.claim')
    await page.keyboard.press('Enter')
    await page.waitForSelector('dialog .huge')
    await tabTo(page, 'dialog .huge')
    await page.keyboard.press('Enter')
    await focused(page, 'dialog input[type="password"]')
    await page.keyboard.type(secret)
    await page.keyboard.press('Enter')
    await page.waitForSelector('dialog .stage.good')
    await tabTo(page, 'dialog .huge')
    await page.keyboard.press('Enter')
    await page.waitForSelector('dialog', { state: 'detached' })
    await page.waitForSelector('.claim', { state: 'detached' })
    await focused(page, 'h1')
    await until('the product is the customer’s', async () =>
      (await verify(tag)).verificationDetails.owner === customer.address(demo.network))
    isClean(seen)
    await context.close()
  })
})

// Login keys that the browser keeps, and the label of a product, in a real Chromium.

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { after, before, describe, test } from 'node:test'

import { call, demo, products } from '../interop/demo.mjs'
import { launch, open } from './chromium.mjs'
import { address, artefact, isNote, logIn, sessionOf, settled, visit } from './console.mjs'

const KEY_BUTTON = '.with-key button.primary'

/** Logs out by the button in the navigation, whatever it is called. */
async function logOut(page) {
  await page.click('.links button >> nth=0')
  await page.waitForSelector('.door')
}

/** Returns what the browser keeps of the first key, as far as a page can read it. */
const kept = (page) => page.evaluate(() => new Promise((resolve, reject) => {
  const opening = indexedDB.open('patchproof')
  opening.onerror = () => reject(opening.error)
  opening.onsuccess = () => {
    const reading = opening.result.transaction('login-keys').objectStore('login-keys').getAll()
    reading.onsuccess = async () => {
      opening.result.close()
      const [key] = reading.result
      if (!key) return resolve(null)
      const raw = await crypto.subtle.exportKey('raw', key.seal).then(() => 'exported', (error) => error.name)
      return resolve({ members: Object.keys(key).sort(), raw, boxBytes: key.box.byteLength, id: key.id })
    }
  }
}))

describe('a key in the browser', () => {
  let browser
  before(async () => { browser = await launch() })
  after(() => browser.close())

  for (const [locale, words] of [
    ['en', { make: 'Keep a key in this browser', logIn: `Log in as ${demo.consoleUser}`, gone: 'opens nothing any more' }],
    ['de', { make: 'Schlüssel in diesem Browser verwahren', logIn: `Anmelden als ${demo.consoleUser}`, gone: 'gilt nicht mehr' }]
  ]) {
    test(`is made, logs in, and is refused once it is revoked (${locale})`, async () => {
      const { context, page, seen } = await open(browser, 'about:blank', { locale })
      await logIn(page)
      const atFirst = seen.requests.filter((url) => /secp256k1|signing|browser-keys/.test(url))
      assert.ok(!atFirst.some((url) => /secp256k1|signing/.test(url)), 'what signs is brought when it is needed')
      await visit(page, '/admin/me')
      await page.click(`button:text-is("${words.make}")`)
      await page.fill('dialog input', 'The desk')
      await page.screenshot({ path: artefact(`console-key-make-${locale}.png`) })
      await page.click('dialog button.primary')
      await page.waitForSelector('td:has-text("The desk")')
      await page.screenshot({ path: artefact(`console-me-key-${locale}.png`), fullPage: true })
      const { members, raw, boxBytes, id } = await kept(page)
      assert.deepEqual(members, ['account', 'box', 'id', 'iv', 'label', 'name', 'publicKey', 'seal'])
      assert.equal(raw, 'InvalidAccessError', 'the key that seals it is handed to nobody')
      assert.equal(boxBytes, 32 + 16, 'what lies on the disk is sealed')

      await logOut(page)
      await page.waitForSelector(KEY_BUTTON)
      assert.equal(await page.innerText(KEY_BUTTON), words.logIn)
      await page.screenshot({ path: artefact(`console-login-key-${locale}.png`) })
      // The focus is on it: one press of a key is a login.
      await page.waitForFunction((selector) => document.activeElement === document.querySelector(selector), KEY_BUTTON)
      await page.keyboard.press('Enter')
      await page.waitForSelector('nav#navigation', { state: 'attached' })
      const session = await page.evaluate(() => fetch('/v1/admin/session').then((answer) => answer.json()))
      assert.equal(session.method, 'browser-key')
      assert.equal(session.account.name, demo.consoleUser)

      await visit(page, '/admin/me')
      await page.click('td button.danger')
      await page.click('dialog button.danger')
      await page.waitForSelector('.door')
      assert.equal(await kept(page), null, 'the browser forgets what opens nothing')
      assert.equal(await page.locator(KEY_BUTTON).count(), 0)

      // One that is revoked elsewhere is refused, and the page says what to do.
      await logIn(page)
      await visit(page, '/admin/me')
      await page.click(`button:text-is("${words.make}")`)
      await page.click('dialog button.primary')
      await page.waitForSelector('td button.danger')
      const second = await kept(page)
      assert.notEqual(second.id, id)
      const elsewhere = await call('DELETE', `v1/admin/svd/${second.id}`, { apiKey: true })
      assert.equal(elsewhere.status, 200)
      await logOut(page)
      await page.click(KEY_BUTTON)
      await page.waitForSelector('.problem')
      assert.match(await page.innerText('.problem strong'), new RegExp(words.gone))
      await page.screenshot({ path: artefact(`console-login-key-refused-${locale}.png`) })
      await page.click('.with-key button:not(.primary):not(.copy)')
      await page.waitForSelector(KEY_BUTTON, { state: 'detached' })
      assert.equal(await kept(page), null)
      assert.deepEqual([seen.violations.filter((text) => !isNote(text)), seen.errors], [[], []])
      await context.close()
    })
  }
})

describe('the label of a product', () => {
  let browser
  let storageState
  before(async () => {
    browser = await launch()
    storageState = await sessionOf(browser)
  })
  after(() => browser.close())

  test('is shown, saved as a drawing and as a picture, printed, and its link copied', async () => {
    const tag = (await products())[0].uid_tag_id
    const { context, page, seen } = await open(browser, 'about:blank', { storageState, permissions: ['clipboard-read', 'clipboard-write'] })
    await page.addInitScript(() => { globalThis.print = () => { globalThis.printed = document.documentElement.dataset.print } })
    await visit(page, `/admin/patches/${encodeURIComponent(tag)}`)
    await page.waitForFunction(() => document.querySelector('.qr img').naturalWidth > 0)
    const drawing = await fetch(address(`/certificates/${encodeURIComponent(tag)}.svg`)).then((answer) => answer.text())
    const saved = async (selector, name) => {
      const [download] = await Promise.all([page.waitForEvent('download'), page.click(selector)])
      assert.equal(download.suggestedFilename(), `${tag}.qr.${name}`)
      return readFileSync(await download.path())
    }
    assert.equal((await saved('.qr a.button', 'svg')).toString(), drawing)
    const picture = await saved('.qr .stack button >> nth=0', 'png')
    assert.equal(picture.subarray(1, 4).toString(), 'PNG')
    const modules = Number(/viewBox="0 0 (\d+)/.exec(drawing)[1])
    const width = picture.readUInt32BE(16)
    assert.ok(width >= 1024 && width % modules === 0, `${width} pixels for ${modules} modules`)
    await page.click('.qr .copy')
    await page.waitForSelector('.copy.done')
    const link = await page.evaluate(() => navigator.clipboard.readText())
    assert.equal((await fetch(link)).status, 200)
    assert.ok(link.endsWith(`/certificates/${encodeURIComponent(tag)}`), link)
    // On paper there is the label and nothing else.
    await page.click('.qr .stack button >> nth=1')
    assert.equal(await page.evaluate(() => globalThis.printed), 'label')
    await page.emulateMedia({ media: 'print' })
    await page.screenshot({ path: artefact('console-label-print.png') })
    const shown = await page.evaluate(() => [...document.querySelectorAll('button, nav, h1, h2, .qr a')].filter((it) => it.checkVisibility()).length)
    assert.equal(shown, 0)
    assert.ok(await page.isVisible('.qr img'))
    await page.evaluate(() => dispatchEvent(new Event('afterprint')))
    await page.emulateMedia({ media: 'screen' })
    assert.ok(await page.isVisible('h1'))
    assert.deepEqual([seen.violations, seen.errors], [[], []])
    await context.close()
  })
})

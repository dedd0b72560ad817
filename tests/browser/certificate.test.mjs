// Certificates in a real Chromium: what visitors see, what their browser asks for, what it finds.

import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'

import { call, demo, freshTag, products, register, until } from '../interop/demo.mjs'
import { mine } from '../interop/network.mjs'
import { flaws, launch, open, verdictOf } from './chromium.mjs'

const MOST_BYTES = 60_000
const MOST_MILLISECONDS = 300
const SOMEBODY = 'mpx4EvUchH6HDeqxV3caxbq58DKJzKL22W'
const artefact = (name) => join(process.env.ARTEFACTS, name)
const address = (uid) => new URL(`certificates/${encodeURIComponent(uid)}`, demo.baseUrl).href

/** Returns what axe finds serious. */
const seriousFlaws = async (browser, url, options) =>
  (await flaws(browser, url, options))
    .filter(({ impact }) => ['serious', 'critical'].includes(impact))
    .map(({ text }) => text)

describe('a certificate in Chromium', () => {
  let browser
  let transferred
  let waiting

  before(async () => {
    browser = await launch()
    await mine()
    const proofs = await Promise.all((await products()).map(({ uid_tag_id: uid }) =>
      until(`${uid} is in a block`, async () => {
        const proof = (await call('GET', `v1/patches/${encodeURIComponent(uid)}/proof`)).json
        return proof.records.every(({ status }) => status === 'mined') && proof
      })
    ))
    transferred = proofs.sort((a, b) => b.records.length - a.records.length)[0].uid_tag_id
    waiting = freshTag('WAITING')
    await register(waiting, { address: SOMEBODY }, { product: { name: 'Trikot № 7' } })
  })
  after(() => browser.close())

  test('c28 runs under its policy, asks for nothing after it, and is small and quick', async () => {
    const { context, page, seen } = await open(browser, address(transferred))
    const { verdict, milliseconds } = await verdictOf(page)
    const requests = seen.requests.length
    await page.click('summary')
    await page.waitForTimeout(500)
    assert.equal(verdict, 'proved')
    assert.deepEqual([seen.violations, seen.errors], [[], []])
    assert.equal(seen.requests.length, requests, 'the check asks for nothing')
    assert.ok(seen.requests.every((url) => url.startsWith(demo.baseUrl)), seen.requests.join())
    assert.ok(seen.bytes <= MOST_BYTES, `${seen.bytes} bytes over the wire`)
    assert.ok(milliseconds <= MOST_MILLISECONDS, `${milliseconds} ms`)
    assert.deepEqual(await page.$$eval('[data-outcome="failed"]', (all) => all.length), 0)
    assert.ok((await page.$$eval('[data-outcome="ok"]', (all) => all.length)) >= 12)
    console.log(`${seen.bytes} bytes over the wire, checked in ${milliseconds} ms`)
    await context.close()
  })

  for (const colorScheme of ['light', 'dark']) {
    for (const width of [360, 768, 1280]) {
      test(`reads at ${width} pixels, ${colorScheme}`, async () => {
        const options = { colorScheme, viewport: { width, height: 900 } }
        const { context, page } = await open(browser, address(transferred), options)
        await verdictOf(page)
        await page.screenshot({ path: artefact(`certificate-${colorScheme}-${width}.png`), fullPage: true })
        const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)
        assert.ok(overflow <= 0, `${overflow} pixels too wide`)
        await context.close()
        assert.deepEqual(await seriousFlaws(browser, address(transferred), options), [])
      })
    }
  }

  test('prints', async () => {
    const { context, page } = await open(browser, address(transferred))
    await verdictOf(page)
    const pdf = await page.pdf({ path: artefact('certificate-print.pdf'), preferCSSPageSize: true })
    assert.equal(pdf.subarray(0, 5).toString(), '%PDF-')
    const pages = pdf.toString('latin1').match(/\/Type\s*\/Page\b/g).length
    assert.ok(pages <= 2, `${pages} pages`)
    await context.close()
  })

  test('reads without JavaScript, and says that nothing was checked', async () => {
    const { context, page } = await open(browser, address(transferred), { javaScriptEnabled: false })
    assert.ok(await page.locator('h1').isVisible())
    assert.ok(await page.locator('table.custody').isVisible())
    assert.ok((await page.locator('noscript').innerText()).includes('runs no scripts'))
    assert.equal(await page.locator('#check').isVisible(), false)
    await page.screenshot({ path: artefact('certificate-no-script.png'), fullPage: true })
    await context.close()
  })

  test('says so where its proof waits for a block', async () => {
    const { context, page, seen } = await open(browser, address(waiting), { locale: 'de' })
    assert.equal((await verdictOf(page)).verdict, 'incomplete')
    assert.deepEqual(seen.violations, [])
    assert.equal(await page.getAttribute('html', 'lang'), 'de')
    await page.screenshot({ path: artefact('certificate-waiting-de.png'), fullPage: true })
    await context.close()
  })

  const spoils = {
    'a digit of its proof': (html) =>
      html.replace(/\\"owner\\":\\"(.)(.)/, (_, first, second) => `\\"owner\\":\\"${first}${second === 'a' ? 'b' : 'a'}`),
    'its name': (html) => html.replace(/(<h1[^>]*>)[^<]*/, '$1A better one'),
    'its owner': (html) => html.replace(/(data-proof="owner"[^>]*>)[^<]*/, '$1' + SOMEBODY),
    'its state': (html) => html.replace('data-state="anchored"', 'data-state="waiting"')
  }
  for (const [what, spoil] of Object.entries(spoils)) {
    test(`finds that ${what} was changed on the way`, async () => {
      const { context, page } = await open(browser, address(transferred), {}, (page) =>
        // The page alone: its QR code lies beside it.
        page.route((url) => url.href === address(transferred), async (route) => {
          const response = await route.fetch()
          const body = await response.text()
          assert.notEqual(spoil(body), body)
          await route.fulfill({ response, body: spoil(body) })
        })
      )
      assert.equal((await verdictOf(page)).verdict, 'failed')
      assert.ok(await page.locator('[role="alert"]').isVisible())
      if (what === 'its name') {
        await page.screenshot({ path: artefact('certificate-tampered.png'), fullPage: true })
      }
      await context.close()
    })
  }

  test('c27 is not made of a query', async () => {
    const forged = `${demo.baseUrl}certificates/certificate.html?uid=FORGED-1&product=Forged+watch&owner=Mallory`
    const { context, page } = await open(browser, forged)
    assert.ok(!(await page.content()).includes('Forged'))
    assert.ok((await page.innerText('h1')).includes('No certificate is known'))
    await page.screenshot({ path: artefact('certificate-unknown.png'), fullPage: true })
    await context.close()
    const unknown = await fetch(forged, { headers: { accept: 'text/html' } })
    assert.equal(unknown.status, 404)
    assert.deepEqual(await seriousFlaws(browser, forged, {}), [])
  })
})

// A backup made, read and put in place by mouse, in a real Chromium, on a server that restores itself.

import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'

import { demo, until } from '../interop/demo.mjs'
import { flaws, launch, open } from './chromium.mjs'
import { artefact, settled } from './console.mjs'
import { otherDemo, serve } from './server.mjs'

const PASSWORD = 'a sentence that is long enough'
const OWNER = demo.owners[0].address
const WIDTHS = [360, 768, 1280]

/** What the browser notes by itself: nobody is logged in, or the server is not there for a moment. */
const isNote = (text) => /401|ERR_CONNECTION|net::ERR|Failed to load resource/.test(text)

describe('a server that is restored from its console', () => {
  let browser
  let server
  const at = (path) => new URL(path, server.described.baseUrl).href
  const api = async (method, path, json) => {
    const answer = await fetch(at(path), {
      method, headers: { 'x-api-key': server.described.apiKey, 'content-type': 'application/json' }, body: json && JSON.stringify(json)
    })
    return { status: answer.status, json: await answer.json() }
  }
  const register = (uid) => api('POST', 'v1/patches', { product: { uid_tag_id: uid }, auth: { owner: OWNER } })

  async function logIn(page) {
    await page.fill('input[autocomplete="username"]', server.described.consoleUser)
    await page.fill('input[type="password"]', server.described.consolePassword)
    await page.press('input[type="password"]', 'Enter')
    await page.waitForSelector('nav#navigation', { state: 'attached' })
  }

  before(async () => {
    server = await otherDemo()
    browser = await launch()
    const simulate = (path, json) => fetch(new URL(`/sim/${path}`, server.described.chainUrl), {
      method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(json)
    })
    await simulate('faucet', { address: server.described.fundingAddress, satoshis: 10_000, count: 6 })
    await simulate('mine', {})
    await server.command('utxo', 'sync')
  })
  after(async () => {
    await browser.close()
    await server.stop()
  })

  test('reads it, says what is lost, begins anew, asks to log in again, and shows the fence', async () => {
    assert.equal((await register('TAG-1')).status, 201)
    const first = await open(browser, at('admin/backups'))
    await logIn(first.page)
    await settled(first.page)
    assert.match(await first.page.innerText('.empty'), /No backups yet/)
    await first.page.click('button.primary:text-is("Back up now")')
    await first.page.waitForSelector('tbody tr')
    const name = await first.page.innerText('tbody td.main')
    assert.equal((await register('TAG-2')).status, 201)
    await first.context.close()

    // A session of after the backup.
    const { context, page, seen } = await open(browser, at('admin/backups'))
    await logIn(page)
    await settled(page)
    await page.screenshot({ path: artefact('console-backups.png'), fullPage: true })
    await page.click(`button[aria-label="Restore ${name}"]`)
    await page.waitForSelector(`h2:text-is("${name} is ready to be restored")`)
    const said = await page.innerText('section:has-text("is ready to be restored")')
    assert.match(said, /Only in the present store\s+Products: 1 · custody events: 1 · transactions: 1/)
    await page.screenshot({ path: artefact('console-restore-ready.png'), fullPage: true })
    const storageState = await context.storageState()
    for (const width of WIDTHS) {
      for (const colorScheme of ['light', 'dark']) {
        const options = { storageState, colorScheme, viewport: { width, height: 900 } }
        assert.deepEqual(await flaws(browser, at('admin/backups'), options), [], `${width} ${colorScheme}`)
      }
    }
    const narrow = await open(browser, at('admin/backups'), { storageState, locale: 'de', viewport: { width: 360, height: 800 } })
    await settled(narrow.page)
    await narrow.page.screenshot({ path: artefact('console-restore-ready-360-de.png'), fullPage: true })
    const overflow = await narrow.page.evaluate(() => document.documentElement.scrollWidth - innerWidth)
    assert.ok(overflow <= 0, `${overflow} px too wide`)
    await narrow.context.close()

    await page.click('button:text-is("Put it in place…")')
    await page.waitForSelector('dialog[open]')
    assert.match(await page.innerText('dialog[open]'), /Products: 1 · custody events: 1 · transactions: 1/)
    await page.screenshot({ path: artefact('console-restore-confirm.png') })
    await page.click('dialog button.danger')
    await page.waitForSelector('.notice:has-text("takes the place of the present store")')
    await page.screenshot({ path: artefact('console-restore-applying.png') })

    // The restored store does not know the session; the page is the same afterwards.
    await page.waitForSelector('.door')
    await page.screenshot({ path: artefact('console-restore-door.png') })
    await logIn(page)
    await page.waitForSelector('h2:text-is("The fence")')
    await page.waitForSelector('button:text-is("Take the fence away")')
    await page.screenshot({ path: artefact('console-restore-fence.png'), fullPage: true })
    assert.match(await page.innerText('section:has-text("The fence")'), /conflict/)
    const fenced = await context.storageState()
    for (const colorScheme of ['light', 'dark']) {
      const options = { storageState: fenced, colorScheme, viewport: { width: 360, height: 900 } }
      assert.deepEqual(await flaws(browser, at('admin/backups'), options), [], colorScheme)
    }
    assert.equal((await api('GET', 'v1/patches/verify/TAG-1')).status, 200)
    assert.equal((await api('GET', 'v1/patches/verify/TAG-2')).status, 404)
    await page.click('button:text-is("Take the fence away")')
    await page.click('dialog button.danger')
    await page.waitForSelector('p:has-text("The fence is gone")')
    await page.screenshot({ path: artefact('console-restore-free.png'), fullPage: true })
    assert.equal((await api('GET', 'v1/admin/restore')).json.fenced, false)
    assert.deepEqual([seen.violations.filter((text) => !isNote(text)), seen.errors], [[], []])
    await context.close()
  })

  test('asks for the key that it has not, and puts aside what it read', async () => {
    const backup = (await api('GET', 'v1/admin/backups')).json.backups[0].name
    const { context, page, seen } = await open(browser, at('admin/backups'))
    await logIn(page)
    await settled(page)
    // As where the passphrase was changed since: the server's own does not open it.
    await api('POST', 'v1/admin/restore', { name: backup, passphrase: 'what nobody has locked anything with' })
    await until('it is refused', async () => (await api('GET', 'v1/admin/restore')).json.job?.state === 'failed')
    await page.reload()
    await page.waitForSelector('.problem')
    await page.screenshot({ path: artefact('console-restore-wrong-key.png'), fullPage: true })
    await page.click('.problem button.primary')
    await page.fill('dialog input', server.passphrase)
    assert.equal(await page.getAttribute('dialog input', 'type'), 'password')
    await page.screenshot({ path: artefact('console-restore-key.png') })
    await page.click('dialog button.primary')
    await page.waitForSelector('h2:has-text("is ready to be restored")')
    await page.click('button:text-is("Put it aside")')
    await page.waitForSelector('h2:has-text("is ready to be restored")', { state: 'detached' })
    assert.equal((await api('GET', 'v1/admin/restore')).json.job, null)
    assert.deepEqual([seen.violations.filter((text) => !isNote(text)), seen.errors], [[], []])
    await context.close()
  })

  test('says what to set where there is no key for backups', async () => {
    const bare = await serve()
    try {
      const link = await bare.command('admin', 'setup-link')
      const { context, page } = await open(browser, link)
      await page.fill('input[autocomplete="username"]', 'Ada')
      await page.fill('input[type="password"]', PASSWORD)
      await page.press('input[type="password"]', 'Enter')
      await page.waitForSelector('nav#navigation', { state: 'attached' })
      await page.goto(new URL('admin/backups', bare.base).href)
      await page.waitForSelector('.empty')
      assert.match(await page.innerText('.empty'), /BACKUP_PASSPHRASE/)
      await page.screenshot({ path: artefact('console-backups-no-key.png'), fullPage: true })
      await context.close()
    } finally {
      await bare.stop()
    }
  })
})

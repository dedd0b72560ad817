// Chromium, and what it did: requests, bytes over the wire, violations of the policy.

import { readFileSync } from 'node:fs'

import { chromium } from 'playwright-core'

const AXE = readFileSync(new URL('./node_modules/axe-core/axe.min.js', import.meta.url), 'utf8')

/** Starts the browser; `--no-sandbox` because tests may run as root, on pages of ours alone. */
export const launch = () =>
  chromium.launch({ executablePath: process.env.CHROMIUM, args: ['--no-sandbox'] })

/** Opens a page and watches it. Returns the page with what was seen. */
export async function open(browser, url, options = {}, prepare = async () => {}) {
  const context = await browser.newContext({ deviceScaleFactor: 1, locale: 'en', ...options })
  const page = await context.newPage()
  const seen = { requests: [], bytes: 0, violations: [], errors: [] }
  page.on('request', (request) => seen.requests.push(request.url()))
  page.on('pageerror', (error) => seen.errors.push(error.message))
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) seen.violations.push(message.text())
  })
  const session = await context.newCDPSession(page)
  await session.send('Network.enable')
  session.on('Network.loadingFinished', ({ encodedDataLength }) => (seen.bytes += encodedDataLength))
  await prepare(page)
  await page.goto(url, { waitUntil: 'networkidle' })
  return { context, page, seen }
}

/**
 * Slows a page down, and returns how much slower still it is than asked for: what else the machine does takes
 * its part of the processor. That is 1 where it does nothing else, and figures are divided by it.
 */
export async function slowDown(page, devtools, rate) {
  const work = () => page.evaluate(() => Array.from({ length: 30 }, () => {
    const begun = performance.now()
    for (let n = 0, sum = 1; n < 3e6 && sum !== 0.5; n++) sum = (sum * 31 + n) | 0
    return performance.now() - begun
  }))
  const undisturbed = Math.min(...await work())
  await devtools.send('Emulation.setCPUThrottlingRate', { rate })
  const slowed = await work()
  return Math.max(1, slowed.reduce((sum, time) => sum + time) / slowed.length / (undisturbed * rate))
}

/** Waits for the verdict of the check, and returns it. */
export async function verdictOf(page) {
  await page.waitForSelector('#check[data-verdict]')
  return page.$eval('#check', ({ dataset }) => ({
    verdict: dataset.verdict,
    milliseconds: Number(dataset.milliseconds)
  }))
}

/** Returns everything that axe finds. Its script is brought in past the policy, which is the page's own. */
export async function flaws(browser, url, options) {
  const { context, page } = await open(browser, url, { ...options, bypassCSP: true })
  await page.evaluate(AXE)
  const { violations } = await page.evaluate(() => globalThis.axe.run())
  await context.close()
  return violations.map(({ id, impact, nodes }) => ({
    impact,
    text: `${id}: ${nodes.map(({ html }) => html.slice(0, 120)).join(' | ')}`
  }))
}

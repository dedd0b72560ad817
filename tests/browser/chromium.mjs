// Chromium, and what it did: requests, bytes over the wire, violations of the policy.

import { chromium } from 'playwright-core'

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

/** Waits for the verdict of the check, and returns it. */
export async function verdictOf(page) {
  await page.waitForSelector('#check[data-verdict]')
  return page.$eval('#check', ({ dataset }) => ({
    verdict: dataset.verdict,
    milliseconds: Number(dataset.milliseconds)
  }))
}

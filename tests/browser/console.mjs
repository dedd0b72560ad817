// What every test of the console does: opens pages, logs in, takes pictures.

import { join } from 'node:path'

import { demo } from '../interop/demo.mjs'
import { open } from './chromium.mjs'

/** What the browser notes by itself where nobody is logged in yet. */
export const isNote = (text) => text.includes('401')
export const artefact = (name) => join(process.env.ARTEFACTS, name)
export const address = (path) => new URL(path, demo.baseUrl).href

/** Waits until a page has a heading and nothing of it is on its way. */
export async function settled(page) {
  await page.waitForSelector('h1')
  await page.waitForFunction(() => !document.querySelector('.loading, [aria-busy="true"]'))
}

/** Opens a page; the stream never ends, so a quiet network is not waited for. */
export async function visit(page, path) {
  await page.goto(address(path), { waitUntil: 'load' })
  await settled(page)
}

export async function logIn(page) {
  await page.goto(address('/admin'))
  await page.fill('input[autocomplete="username"]', demo.consoleUser)
  await page.fill('input[type="password"]', demo.consolePassword)
  await page.press('input[type="password"]', 'Enter')
  await page.waitForSelector('nav#navigation', { state: 'attached' })
}

/** Returns a session's cookies, so that few passwords are tried. */
export async function sessionOf(browser) {
  const { context, page } = await open(browser, address('/admin'))
  await logIn(page)
  const state = await context.storageState()
  await context.close()
  return state
}

// Every sentence comes from en.js or de.js; this file chooses which.

import { signal } from '../parts/html.js'
import en from './en.js'

const KEPT = 'patchproof-language'
const LOADERS = { en: async () => en, de: async () => (await import('./de.js')).default }

/** The languages there are, each in its own words. */
export const LANGUAGES = { en: 'English', de: 'Deutsch' }

/** The language that is shown. */
export const language = signal('en')

const texts = signal(en)

function remembered() {
  try {
    return localStorage.getItem(KEPT)
  } catch {
    return null
  }
}

/** Shows another language from now on. */
export async function speak(name) {
  texts.value = await LOADERS[name]()
  language.value = name
  document.documentElement.lang = name
  try {
    localStorage.setItem(KEPT, name)
  } catch {
    // Without storage the choice lasts as long as the page.
  }
}

/** Takes the language that was chosen before, or else the browser's. */
export async function begin() {
  const wanted = [remembered(), ...navigator.languages.map((tag) => tag.slice(0, 2))]
  const name = wanted.find((tag) => tag in LOADERS) ?? 'en'
  if (name !== 'en') await speak(name)
}

/** Returns a sentence; `values` fill what stands in braces. */
export function t(key, values = {}) {
  const found = texts.value[key] ?? en[key]
  if (found === undefined) return key
  if (typeof found === 'function') return found(values)
  return found.replace(/\{(\w+)\}/g, (whole, name) => String(values[name] ?? whole))
}

/** Returns a sentence for a code of the server, or the code itself where there is none. */
export function tOr(key, fallback) {
  return texts.value[key] ?? en[key] ?? fallback
}

/** Writes a number as the language does. */
export const number = (value, options) => new Intl.NumberFormat(language.value, options).format(value)

/** Writes an amount of satoshis. */
export const satoshis = (value) => `${number(value)} sat`

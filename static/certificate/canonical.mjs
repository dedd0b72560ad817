// JSON in its one spelling (RFC 8785): what is signed and committed to.

import { Flaw, demand } from './bytes.mjs'

const isPlain = (value) => typeof value === 'object' && value !== null && !Array.isArray(value)

/** Writes a value canonically. */
export function canonical(value) {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`
  if (!isPlain(value)) return JSON.stringify(value)
  // The order is that of UTF-16 code units, which is how strings are sorted here.
  const members = Object.keys(value).sort().map((name) => `${JSON.stringify(name)}:${canonical(value[name])}`)
  return `{${members.join(',')}}`
}

function parse(text) {
  try {
    return JSON.parse(text)
  } catch {
    throw new Flaw('it is no JSON')
  }
}

/** Reads a text that must be spelled canonically: nothing can be given twice or hide in spaces. */
export function parseCanonical(text) {
  const value = parse(text)
  demand(canonical(value) === text && text.isWellFormed?.() !== false, 'it is not spelled canonically')
  return value
}

/** Reads what a page carries: canonical, with `<` as an escape, so that no text can end the script. */
export function parseEmbedded(text) {
  const value = parse(text)
  demand(canonical(value).replaceAll('<', '\\u003c') === text, 'it is not spelled canonically')
  return value
}

/**
 * Demands that `value` has the members of `shape` and no others. A shape is a function that says
 * whether a value fits; members whose name ends in `?` may be left out.
 */
export function demandShape(value, shape, what) {
  demand(isPlain(value), `${what} is no object`)
  const known = Object.entries(shape).map(([name, fits]) => [name.replace('?', ''), name.endsWith('?'), fits])
  for (const name of Object.keys(value)) {
    demand(known.some(([other]) => other === name), `${what} has the unknown member ${name}`)
  }
  for (const [name, isOptional, fits] of known) {
    const isGiven = Object.hasOwn(value, name)
    demand(isGiven || isOptional, `${what} lacks ${name}`)
    demand(!isGiven || fits(value[name]), `${name} of ${what} does not fit`)
  }
}

/** Shapes of values. */
export const isText = (value) => typeof value === 'string'
export const isList = Array.isArray
export const isObject = isPlain
export const isCount = (value) => Number.isSafeInteger(value) && value >= 0
export const isHex = (length) => (value) =>
  isText(value) && /^(?:[0-9a-f]{2})+$/.test(value) && (length === undefined || value.length === 2 * length)
export const isOneOf = (...values) => (value) => values.includes(value)

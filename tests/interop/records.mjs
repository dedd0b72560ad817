// Records as anyone can check them: canonical JSON, salted commitment, what stands on chain.

import { sha256 } from './network.mjs'

const MARKER_OF = { register: 0x11, transfer: 0x12 }

/** Writes JSON by RFC 8785; our records hold objects, strings and small integers only. */
export function canonical(value) {
  if (typeof value === 'string') return JSON.stringify(value)
  if (Number.isSafeInteger(value)) return String(value)
  if (Object.getPrototypeOf(value) !== Object.prototype) {
    throw new TypeError(`a record holds no ${JSON.stringify(value)}`)
  }
  // The order of UTF-16 code units, which is what sort() compares without being told otherwise.
  const names = Object.keys(value).sort()
  return `{${names.map((name) => `${JSON.stringify(name)}:${canonical(value[name])}`).join(',')}}`
}

/** Returns SHA-256(salt ‖ canonical record) in hexadecimal. */
export const commitment = (saltHex, text) =>
  sha256(Buffer.concat([Buffer.from(saltHex, 'hex'), Buffer.from(text, 'utf8')])).toString('hex')

/** Returns the script by which an event of this kind stands on chain, in hexadecimal. */
export const payloadScript = (kind, commitmentHex) =>
  Buffer.concat([
    Buffer.from([0x00, 0x6a, 10]),
    Buffer.from('PatchProof', 'ascii'),
    Buffer.from([1, MARKER_OF[kind], 32]),
    Buffer.from(commitmentHex, 'hex')
  ]).toString('hex')

/** Lists every text of a record with its path. */
export function texts(value, path = '') {
  if (typeof value === 'string') return [{ path, text: value }]
  if (typeof value !== 'object') return []
  return Object.entries(value).flatMap(([name, inner]) => texts(inner, `${path}.${name}`))
}

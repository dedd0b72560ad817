// Bytes: hexadecimal digits, Bitcoin's binary integers, hashes, addresses.

import { ripemd160 } from './legacy.js'
import { sha256 } from './sha2.js'

export { sha256 }

/** A proof that does not hold, or bytes that are none; `message` says why. */
export class Flaw extends Error {}

/** Refuses where `holds` is false. */
export function demand(holds, reason) {
  if (!holds) throw new Flaw(reason)
}

const ALPHABET = '123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz'
const VERSIONS = { main: 0x00, test: 0x6f }
/** All the money there can be, in satoshis. */
const MOST_MONEY = 2_100_000_000_000_000n

/** Reads small hexadecimal digits, `length` bytes of them if that is given. */
export function fromHex(text, length) {
  demand(typeof text === 'string' && /^(?:[0-9a-f]{2})*$/.test(text), 'a value is not hexadecimal')
  demand(length === undefined || text.length === 2 * length, 'a value has another length')
  const bytes = new Uint8Array(text.length / 2)
  for (let at = 0; at < bytes.length; at++) bytes[at] = parseInt(text.slice(2 * at, 2 * at + 2), 16)
  return bytes
}

/** Writes hexadecimal digits. */
export const toHex = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')

/** Writes a hash as blocks and transactions are named: its bytes from the end. */
export const display = (hash) => toHex(Uint8Array.from(hash).reverse())

/** Joins byte strings. */
export function concat(...parts) {
  const joined = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
  let at = 0
  for (const part of parts) {
    joined.set(part, at)
    at += part.length
  }
  return joined
}

/** Says whether two byte strings are the same. */
export const equal = (a, b) => a.length === b.length && a.every((byte, at) => byte === b[at])

/** The bytes of a text in UTF-8. */
export const utf8 = (text) => new TextEncoder().encode(text)

/** SHA-256 twice. */
export const sha256d = (bytes) => sha256(sha256(bytes))

/** RIPEMD-160 of SHA-256. */
export const hash160 = (bytes) => ripemd160(sha256(bytes))

/** The address of a public key on `main` or `test`. */
export function addressOf(key, network) {
  const body = concat(Uint8Array.of(VERSIONS[network]), hash160(key))
  const bytes = concat(body, sha256d(body).slice(0, 4))
  let number = BigInt(`0x${toHex(bytes)}`)
  let text = ''
  for (; number > 0n; number /= 58n) text = ALPHABET[Number(number % 58n)] + text
  for (const byte of bytes) {
    if (byte !== 0) break
    text = ALPHABET[0] + text
  }
  return text
}

/** Takes values off the front of bytes. */
export class Reader {
  #bytes
  #at = 0

  constructor(bytes) {
    this.#bytes = bytes
  }

  get position() {
    return this.#at
  }

  /** The bytes from `start` to where the reader stands. */
  since(start) {
    return this.#bytes.slice(start, this.#at)
  }

  take(length) {
    demand(length <= this.#bytes.length - this.#at, 'the bytes end too early')
    this.#at += length
    return this.#bytes.slice(this.#at - length, this.#at)
  }

  #little(length) {
    return this.take(length).reduceRight((number, byte) => number * 256n + BigInt(byte), 0n)
  }

  u8() {
    return this.take(1)[0]
  }

  u32() {
    return Number(this.#little(4))
  }

  /** An amount in satoshis. */
  amount() {
    const amount = this.#little(8)
    demand(amount <= MOST_MONEY, 'an amount cannot exist')
    return Number(amount)
  }

  /** A number of variable length in its shortest form. */
  varint() {
    const first = this.u8()
    if (first < 0xfd) return first
    const [length, least] = { 0xfd: [2, 0xfdn], 0xfe: [4, 0x10000n], 0xff: [8, 0x100000000n] }[first]
    const number = this.#little(length)
    demand(number >= least, 'a number is not in its shortest form')
    demand(number <= BigInt(Number.MAX_SAFE_INTEGER), 'a number is too large')
    return Number(number)
  }

  /** A byte string with its length in front. */
  varBytes() {
    return this.take(this.varint())
  }

  /** `count` items, where the count stands in front. */
  list(read) {
    const items = []
    for (let left = this.varint(); left > 0; left--) items.push(read(this))
    return items
  }

  finish() {
    demand(this.#at === this.#bytes.length, 'bytes are left over')
  }
}

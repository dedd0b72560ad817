// Signs in this browser, as a shop or to log in. A key stays in the memory of the page and goes nowhere.

import { addressOf, concat, fromHex, sha256, toHex, utf8 } from '../check/bytes.mjs'
import { getPublicKey, hashes, Point, sign, utils } from '../check/secp256k1.js'

const BLOCK = 64

/** HMAC-SHA-256 (RFC 2104), with which the deterministic nonce of a signature is made (RFC 6979). */
function hmac(key, message) {
  const short = key.length > BLOCK ? sha256(key) : key
  const padded = new Uint8Array(BLOCK)
  padded.set(short)
  const inner = sha256(concat(padded.map((byte) => byte ^ 0x36), message))
  return sha256(concat(padded.map((byte) => byte ^ 0x5c), inner))
}

hashes.sha256 = sha256
hashes.hmacSha256 = hmac

/** Writes an integer as DER does: no zeros ahead, but one where it would seem negative. */
function integer(bytes) {
  let begin = 0
  while (begin < bytes.length - 1 && bytes[begin] === 0) begin += 1
  const short = bytes.subarray(begin)
  const value = short[0] & 0x80 ? concat(Uint8Array.of(0), short) : short
  return concat(Uint8Array.of(2, value.length), value)
}

function der(compact) {
  const body = concat(integer(compact.subarray(0, 32)), integer(compact.subarray(32)))
  return concat(Uint8Array.of(0x30, body.length), body)
}

const signDigest = (digest, secret) => toHex(der(sign(digest, secret, { prehash: false, lowS: true })))
const toNumber = (bytes) => BigInt(`0x${toHex(bytes)}`)

/** Makes a key to log in with: `{secret, publicKey}`, the first as bytes. */
export function freshKey() {
  const secret = utils.randomSecretKey()
  return { secret, publicKey: toHex(getPublicKey(secret, true)) }
}

/** Signs a login challenge with the key of this challenge, secret + SHA-256(M) mod n (docs/SVD_AUTH.md). */
export function signChallenge(challengeHex, secret) {
  const digest = sha256(fromHex(challengeHex))
  const key = (toNumber(secret) + toNumber(digest)) % Point.CURVE().n
  return signDigest(digest, fromHex(key.toString(16).padStart(64, '0'), 32))
}

/** Takes a secret key of 64 hexadecimal digits; returns `{publicKey, address(network), sign(text)}`. */
export function shopKey(hex) {
  const secret = fromHex(hex.trim().toLowerCase(), 32)
  if (!utils.isValidSecretKey(secret)) throw new Error('not a key')
  const publicKey = getPublicKey(secret, true)
  return {
    publicKey: toHex(publicKey),
    address: (network) => addressOf(publicKey, network),
    sign: (text) => signDigest(sha256(utf8(text)), secret)
  }
}

// Owners: keys made and used by other people's code, and the messages they sign.
//
// The digest of a message is SHA-256 of its UTF-8 bytes, once: both `PrivateKey.sign` of the SDK
// and `crypto.sign('sha256', …)` hash by themselves, so both get the message.

import crypto from 'node:crypto'

import bsv from 'bsv'
import { PrivateKey } from '@bsv/sdk'

const CURVE = 'secp256k1'
const ORDER = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n

/** An owner by secret key; address and public key as @bsv/sdk derives them. */
export class Owner {
  constructor(privateKeyHex) {
    this.privateKeyHex = privateKeyHex
    this.sdkKey = PrivateKey.fromHex(privateKeyHex)
    this.publicKey = this.sdkKey.toPublicKey().toString()
    this.address = this.sdkKey.toAddress('testnet')
    this.mainAddress = this.sdkKey.toAddress('mainnet')
  }

  static random() {
    return new Owner(PrivateKey.fromRandom().toHex())
  }

  /** Signs with @bsv/sdk; DER in hexadecimal. */
  signWithSdk(message) {
    return this.sdkKey.sign(message, 'utf8').toDER('hex')
  }

  /** Signs with OpenSSL by way of node:crypto; DER in hexadecimal, low S. */
  signWithNode(message) {
    const key = { key: nodePrivateKey(this.privateKeyHex), dsaEncoding: 'ieee-p1363' }
    const [r, s] = halves(crypto.sign('sha256', Buffer.from(message, 'utf8'), key))
    return der(r, s > ORDER / 2n ? ORDER - s : s)
  }

  /** Signs with bsv 1.5.6, which takes the digest itself; DER in hexadecimal. */
  signWithBsv(message) {
    const digest = crypto.createHash('sha256').update(message, 'utf8').digest()
    const key = new bsv.PrivateKey(this.privateKeyHex, 'testnet')
    return bsv.crypto.ECDSA.sign(digest, key).toDER().toString('hex')
  }
}

/** Returns the message by which an owner hands a product on. */
export const transferMessage = (uid, currentTxid, newOwnerAddress) =>
  JSON.stringify({
    purpose: 'transfer_ownership',
    uid_tag_id: uid,
    currentTxid,
    newOwnerAddress
  })

/** Returns the message by which an owner opens content; predecessors send no nonce. */
export const unlockMessage = (uid, currentTxid, nonce) =>
  JSON.stringify({ purpose: 'unlock_content', uid_tag_id: uid, currentTxid, nonce })

/** Returns the other signature that matches the same message: the one with high S. */
export function highSTwin(signature) {
  const { r, s } = readDer(signature)
  return der(r, ORDER - s)
}

/** Checks a signature of a message with OpenSSL. */
export function verifiesWithNode(publicKeyHex, message, signature) {
  return crypto.verify(
    'sha256',
    Buffer.from(message, 'utf8'),
    nodePublicKey(publicKeyHex),
    Buffer.from(signature, 'hex')
  )
}

function nodePublicKey(publicKeyHex) {
  const point = crypto.ECDH.convertKey(publicKeyHex, CURVE, 'hex', undefined, 'uncompressed')
  return crypto.createPublicKey({ key: jwk(point), format: 'jwk' })
}

function nodePrivateKey(privateKeyHex) {
  const pair = crypto.createECDH(CURVE)
  pair.setPrivateKey(privateKeyHex, 'hex')
  const d = Buffer.from(privateKeyHex, 'hex').toString('base64url')
  return crypto.createPrivateKey({ key: { ...jwk(pair.getPublicKey()), d }, format: 'jwk' })
}

function jwk(point) {
  return {
    kty: 'EC',
    crv: CURVE,
    x: point.subarray(1, 33).toString('base64url'),
    y: point.subarray(33, 65).toString('base64url')
  }
}

const toNumber = (bytes) => BigInt(`0x${bytes.toString('hex')}`)
const halves = (bytes) => [toNumber(bytes.subarray(0, 32)), toNumber(bytes.subarray(32, 64))]

/** Writes a signature in DER, hexadecimal. */
function der(r, s) {
  const integer = (value) => {
    const digits = value.toString(16)
    const hex = digits.length % 2 ? `0${digits}` : digits
    const bytes = Buffer.from(parseInt(hex.slice(0, 2), 16) > 0x7f ? `00${hex}` : hex, 'hex')
    return Buffer.concat([Buffer.from([0x02, bytes.length]), bytes])
  }
  const body = Buffer.concat([integer(r), integer(s)])
  return Buffer.concat([Buffer.from([0x30, body.length]), body]).toString('hex')
}

function readDer(signature) {
  const bytes = Buffer.from(signature, 'hex')
  const rLength = bytes[3]
  const sLength = bytes[5 + rLength]
  return {
    r: toNumber(bytes.subarray(4, 4 + rLength)),
    s: toNumber(bytes.subarray(6 + rLength, 6 + rLength + sLength))
  }
}

// For owners: passwordless login, and the messages by which products are claimed, handed on and opened.
// An ES module for browsers and Node without a build step.
//
// Keys stay here: the server is sent public keys and signatures. The cryptography is @noble's; in a
// browser an import map tells where `@noble/` lies. Signatures are ECDSA over secp256k1 of SHA-256 of
// the message, strict DER, low S (docs/SVD_AUTH.md has the protocol of the login).

import { secp256k1 } from '@noble/curves/secp256k1.js'
import { hmac } from '@noble/hashes/hmac.js'
import { ripemd160 } from '@noble/hashes/legacy.js'
import { sha256 } from '@noble/hashes/sha2.js'
import { bytesToHex, concatBytes, hexToBytes, utf8ToBytes } from '@noble/hashes/utils.js'

const ORDER = secp256k1.Point.Fn.ORDER
const VERSIONS = { main: 0x00, test: 0x6f }
const BASE58 = '123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz'

const toNumber = (bytes) => BigInt(`0x${bytesToHex(bytes)}`)
const toBytes = (number) => hexToBytes(number.toString(16).padStart(64, '0'))

/** An answer of the server that is no success, with the problem document it sent (RFC 9457). */
export class PatchProofError extends Error {
  constructor(status, problem) {
    super(problem?.detail ?? problem?.title ?? `HTTP ${status}`)
    this.status = status
    this.code = problem?.code
    this.problem = problem
  }
}

/** A person with a secret key. */
export class Owner {
  #secret

  /** Takes the secret key as 64 hexadecimal digits. */
  constructor(secretKeyHex) {
    this.#secret = hexToBytes(secretKeyHex)
    this.publicKey = bytesToHex(secp256k1.getPublicKey(this.#secret, true))
  }

  /** Makes an owner with a new key. */
  static random() {
    return new Owner(bytesToHex(secp256k1.utils.randomSecretKey()))
  }

  /** Returns the owner's address on `main` or `test`. */
  address(network) {
    return addressOf(this.publicKey, network)
  }

  /** Signs a text; DER in hexadecimal. */
  sign(message) {
    return signBytes(utf8ToBytes(message), this.#secret)
  }

  /** Signs a login challenge M with the key of this challenge, secret + SHA-256(M) mod n. */
  signChallenge(challengeHex) {
    const challenge = hexToBytes(challengeHex)
    const key = (toNumber(this.#secret) + toNumber(sha256(challenge))) % ORDER
    return signBytes(challenge, toBytes(key))
  }

  /**
   * Returns the secret that owner and server share for a challenge, given the server's public key: the
   * token's `cnf.svd_proof` is made of it ({@link svdProof}), so an owner can tell that the server's key
   * took part.
   */
  sharedSecret(challengeHex, serverKeyHex) {
    const challenge = hexToBytes(challengeHex)
    const h = toNumber(sha256(challenge))
    const server = secp256k1.Point.fromHex(serverKeyHex).add(secp256k1.Point.BASE.multiply(h))
    const mine = (toNumber(this.#secret) + h) % ORDER
    const x = server.multiply(mine).toBytes(true).slice(1)
    const salt = sha256(concatBytes(hexToBytes(serverKeyHex), hexToBytes(this.publicKey), challenge))
    return bytesToHex(hmac(sha256, hmac(sha256, salt, x), utf8ToBytes('SVD-Session')))
  }
}

function signBytes(bytes, secret) {
  return bytesToHex(secp256k1.sign(bytes, secret, { format: 'der', lowS: true }))
}

/** Returns the proof that a token from a login must carry. */
export function svdProof(userId, challengeHex, sharedSecretHex) {
  const jti = sha256(hexToBytes(challengeHex))
  const key = hmac(sha256, sha256(concatBytes(utf8ToBytes(userId.toLowerCase()), jti)), hexToBytes(sharedSecretHex))
  return bytesToHex(hmac(sha256, key, utf8ToBytes('JWT-Token')))
}

/** Returns the address of a compressed public key on `main` or `test`. */
export function addressOf(publicKeyHex, network) {
  const version = VERSIONS[network]
  if (version === undefined) throw new TypeError(`no such network: ${network}`)
  const payload = concatBytes(Uint8Array.of(version), ripemd160(sha256(hexToBytes(publicKeyHex))))
  const bytes = concatBytes(payload, sha256(sha256(payload)).slice(0, 4))
  let number = toNumber(bytes)
  let text = ''
  while (number > 0n) {
    text = BASE58[Number(number % 58n)] + text
    number /= 58n
  }
  const zeros = bytes.findIndex((byte) => byte !== 0)
  return '1'.repeat(zeros) + text
}

/** Returns the message by which an owner hands a product on. */
export const transferMessage = (uid, currentTxid, newOwnerAddress) =>
  JSON.stringify({ purpose: 'transfer_ownership', uid_tag_id: uid, currentTxid, newOwnerAddress })

/** Returns the message by which an owner opens content; the nonce is of one use. */
export const unlockMessage = (uid, currentTxid, nonce) =>
  JSON.stringify({ purpose: 'unlock_content', uid_tag_id: uid, currentTxid, nonce })

/** Returns the message by which a customer claims a product at the counter. */
export const claimMessage = (uid, address, timestamp, nonce) =>
  `PATCHPROOF_CLAIM|uid:${uid}|addr:${address}|ts:${timestamp}|nonce:${nonce}`

/** Returns the message by which a login key is replaced. */
export const changeKeyMessage = (userId, newPublicKey, challengeHex) =>
  JSON.stringify({ purpose: 'svd_change_key', userId, newPmcHex: newPublicKey, M: challengeHex })

/** Returns the message by which a login key is revoked. */
export const revokeKeyMessage = (userId, challengeHex) =>
  JSON.stringify({ purpose: 'svd_revoke', userId, M: challengeHex })

/** A server. */
export class PatchProof {
  #apiKey

  /** Takes the server's address, and an API key where a route needs one. */
  constructor(baseUrl, options = {}) {
    this.baseUrl = String(baseUrl).replace(/\/*$/, '/')
    this.#apiKey = options.apiKey
  }

  /** Sends a request; resolves with the answer's JSON, rejects with a {@link PatchProofError}. */
  async request(method, path, { json, token } = {}) {
    const headers = {}
    if (this.#apiKey) headers['x-api-key'] = this.#apiKey
    if (token) headers.authorization = `Bearer ${token}`
    if (json !== undefined) headers['content-type'] = 'application/json'
    const body = json === undefined ? undefined : JSON.stringify(json)
    const answer = await fetch(new URL(path.slice(1), this.baseUrl), { method, headers, body })
    const text = await answer.text()
    const isJson = (answer.headers.get('content-type') ?? '').includes('json')
    const content = isJson ? JSON.parse(text) : undefined
    if (!answer.ok) throw new PatchProofError(answer.status, content)
    return content
  }

  /** Registers an owner's key for a user, who is named by 24 hexadecimal digits. */
  registerKey(userId, owner) {
    const json = { userId, pmcHex: owner.publicKey }
    return this.request('POST', '/api/svd/register', { json })
  }

  /** Asks for a login challenge. */
  beginLogin(userId) {
    return this.request('POST', '/api/svd/begin', { json: { userId } })
  }

  /** Answers a login challenge. */
  completeLogin(userId, owner, challengeHex) {
    const json = { userId, M: challengeHex, signatureHex: owner.signChallenge(challengeHex) }
    return this.request('POST', '/api/svd/complete', { json })
  }

  /** Logs in and returns the token. */
  async login(userId, owner) {
    const begun = await this.beginLogin(userId)
    if (begun.pmcHex !== owner.publicKey) {
      throw new Error('the server knows another key for this user, or none')
    }
    const { token } = await this.completeLogin(userId, owner, begun.M)
    return token
  }

  /** Takes back all tokens of the user whose token this is. */
  logout(token) {
    return this.request('POST', '/v1/auth/logout', { token })
  }

  /** Replaces a user's login key. */
  async changeKey(userId, owner, newOwner) {
    const { M } = await this.beginLogin(userId)
    const signatureHex = owner.sign(changeKeyMessage(userId, newOwner.publicKey, M))
    const json = { userId, newPmcHex: newOwner.publicKey, M, signatureHex }
    return this.request('POST', '/api/svd/change-key', { json })
  }

  /** Revokes a user's login key, for good. */
  async revokeKey(userId, owner) {
    const { M } = await this.beginLogin(userId)
    const json = { userId, M, signatureHex: owner.sign(revokeKeyMessage(userId, M)) }
    return this.request('POST', '/api/svd/revoke', { json })
  }

  /** Hands a product on, from its present owner to an address. */
  transfer(uid, currentTxid, owner, newOwnerAddress, token) {
    const message = transferMessage(uid, currentTxid, newOwnerAddress)
    const json = {
      newOwnerAddress,
      currentOwnerPubKey: owner.publicKey,
      currentOwnerSignature: owner.sign(message)
    }
    const path = `/v1/patches/${encodeURIComponent(currentTxid)}/transfer-ownership`
    return this.request('POST', path, { json, token })
  }

  /** Opens a product's content with a fresh nonce. */
  async unlock(uid, currentTxid, owner) {
    const tag = encodeURIComponent(uid)
    const { nonce } = await this.request('GET', `/v1/patches/${tag}/unlock-challenge`)
    const ownerSignature = owner.sign(unlockMessage(uid, currentTxid, nonce))
    const json = { ownerPubKey: owner.publicKey, ownerSignature, nonce }
    return this.request('POST', `/v1/patches/${tag}/unlock-content`, { json })
  }

  /** Claims a product at the counter for its customer, on `main` or `test`. */
  async claim(uid, owner, network) {
    const path = `/v1/pos/claim-challenge/${encodeURIComponent(uid)}`
    const { ts, nonce } = await this.request('GET', path)
    const newOwnerAddress = owner.address(network)
    const json = {
      uid_tag_id: uid,
      newOwnerAddress,
      newOwnerPubKey: owner.publicKey,
      newOwnerSignature: owner.sign(claimMessage(uid, newOwnerAddress, ts, nonce)),
      ts,
      nonce
    }
    return this.request('POST', '/v1/pos/claim-intent', { json })
  }

  /** Tells where a claim stands; with the key of the shop also what the shop has to sign. */
  claimStatus(claimId) {
    return this.request('GET', `/v1/pos/claim-status/${encodeURIComponent(claimId)}`)
  }

  /** Approves the claim of the product that lies on the counter, with the key of the shop that owns it. */
  async approveClaim(claimId, uid, shop) {
    const { uid_tag_id: claimed, currentTxid, newOwnerAddress } = await this.claimStatus(claimId)
    if (!currentTxid) throw new Error('the product is not this shop\'s, or the API key is not')
    // The claim may be of something dearer than what lies there; and a server may show any text, so
    // what is signed is composed here.
    if (claimed !== uid) throw new Error('the claim is of another product')
    const message = transferMessage(uid, currentTxid, newOwnerAddress)
    const json = {
      claimId,
      currentOwnerPubKey: shop.publicKey,
      currentOwnerSignature: shop.sign(message)
    }
    return this.request('POST', '/v1/pos/claim-approve', { json })
  }

  /** Verifies a product. */
  verify(uid) {
    return this.request('GET', `/v1/patches/verify/${encodeURIComponent(uid)}`)
  }
}

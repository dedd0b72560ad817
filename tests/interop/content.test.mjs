// Owners open content: by challenge, as the predecessor's clients do, and with ciphertexts that
// were made by other people's cryptography.

import assert from 'node:assert/strict'
import crypto from 'node:crypto'
import { describe, test } from 'node:test'

import { call, freshTag, postTransfer, register, secrets, transferred } from './demo.mjs'
import { Owner, highSTwin, transferMessage, unlockMessage } from './owner.mjs'

async function owned(name) {
  const owner = Owner.random()
  const uid = freshTag(name)
  return { uid, owner, txid: await register(uid, owner) }
}

const path = ({ uid }, action) => `v1/patches/${encodeURIComponent(uid)}/${action}`

async function challenge(product) {
  const answer = await call('GET', path(product, 'unlock-challenge'))
  assert.equal(answer.status, 200, answer.text)
  assert.equal(answer.json.uid_tag_id, product.uid)
  assert.equal(answer.headers.get('cache-control'), 'no-store')
  return answer.json.nonce
}

/** Writes a request as the owner's client would. */
function request({ uid, txid, owner }, { nonce, sign = 'signWithSdk', ...more } = {}) {
  const ownerSignature = owner[sign](unlockMessage(uid, txid, nonce))
  return { ownerPubKey: owner.publicKey, ownerSignature, ...(nonce ? { nonce } : {}), ...more }
}

const unlock = (product, json) =>
  call('POST', path(product, 'unlock-content'), { apiKey: true, json })

async function opens(product, json) {
  const answer = await unlock(product, json)
  assert.equal(answer.status, 200, answer.text)
  assert.equal(answer.headers.get('cache-control'), 'no-store')
  const { authorized, uid_tag_id: uid, txid, ...content } = answer.json
  assert.deepEqual({ authorized, uid, txid }, { authorized: true, uid: product.uid, txid: product.txid })
  return content
}

async function refused(product, json, code) {
  const answer = await unlock(product, json)
  assert.deepEqual([answer.status, answer.json?.code], [403, code], answer.text)
  assert.equal(answer.json.content, undefined)
}

async function put(product, contentType, body) {
  const headers = { 'content-type': contentType }
  const answer = await call('PUT', path(product, 'content'), { apiKey: true, headers, body })
  assert.equal(answer.status, 200, answer.text)
  return answer.json
}

describe('an owner\'s signature', () => {
  for (const sign of ['signWithSdk', 'signWithNode', 'signWithBsv']) {
    test(`over a challenge opens once (${sign})`, async () => {
      const product = await owned('NONCE')
      const nonce = await challenge(product)
      const json = request(product, { nonce, sign })
      assert.deepEqual(await opens(product, json), {})
      await refused(product, json, 'INVALID_SIGNATURE')
      await refused(product, request(product, { nonce, sign }), 'INVALID_SIGNATURE')
      await opens(product, request(product, { nonce: await challenge(product), sign }))
    })
  }

  test('without a nonce opens, as the predecessor\'s clients sign', async () => {
    const product = await owned('LEGACY')
    assert.deepEqual(await opens(product, request(product)), {})
    assert.deepEqual(await opens(product, request(product, { sign: 'signWithNode' })), {})
  })

  test('over a nonce of another product, or of nobody, opens nothing', async () => {
    const product = await owned('FOREIGN')
    const foreign = await challenge(await owned('OTHER'))
    await refused(product, request(product, { nonce: foreign }), 'INVALID_SIGNATURE')
    await refused(product, request(product, { nonce: '00'.repeat(16) }), 'INVALID_SIGNATURE')
    const nonce = await challenge(product)
    await refused(product, { ...request(product), nonce }, 'INVALID_SIGNATURE')
    const { nonce: _, ...stripped } = request(product, { nonce })
    await refused(product, stripped, 'INVALID_SIGNATURE')
    await opens(product, request(product, { nonce }))
  })

  test('of a stranger, of another message or with high S opens nothing', async () => {
    const product = await owned('SHUT')
    const stranger = { ...product, owner: Owner.random() }
    await refused(product, request(stranger), 'NOT_OWNER')
    const forged = { ...request(stranger), ownerPubKey: product.owner.publicKey }
    await refused(product, forged, 'INVALID_SIGNATURE')
    const good = request(product)
    const twin = { ...good, ownerSignature: highSTwin(good.ownerSignature) }
    await refused(product, twin, 'INVALID_SIGNATURE')
    const handOver = transferMessage(product.uid, product.txid, product.owner.address)
    const other = { ...good, ownerSignature: product.owner.signWithSdk(handOver) }
    await refused(product, other, 'INVALID_SIGNATURE')
  })
})

describe('stored content', () => {
  test('comes back as it was put, text and bytes, newest version first', async () => {
    const product = await owned('CONTENT')
    const words = 'A letter to the owner: größer, 徽章, \u{1f3c6}\n'
    assert.deepEqual(await put(product, 'text/plain; charset=utf-8', words), {
      uid_tag_id: product.uid,
      version: 1
    })
    assert.deepEqual(await opens(product, request(product)), {
      content: words,
      contentType: 'text/plain; charset=utf-8',
      contentEncoding: 'utf-8'
    })
    const bytes = Buffer.concat([Buffer.from([0xff, 0x00, 0xfe]), crypto.randomBytes(2000)])
    assert.equal((await put(product, 'image/png', bytes)).version, 2)
    assert.deepEqual(await opens(product, request(product, { nonce: await challenge(product) })), {
      content: bytes.toString('base64'),
      contentType: 'image/png',
      contentEncoding: 'base64'
    })
  })

  test('opens for the new owner after a transfer, and no longer for the old one', async () => {
    const product = await owned('MOVED')
    await put(product, 'text/plain', 'for whoever owns it')
    const heir = Owner.random()
    const txid = await transferred(
      await postTransfer(product.txid, {
        newOwnerAddress: heir.address,
        currentOwnerPubKey: product.owner.publicKey,
        currentOwnerSignature: product.owner.signWithSdk(
          transferMessage(product.uid, product.txid, heir.address)
        )
      })
    )
    await refused(product, request(product), 'NOT_OWNER')
    await refused(product, request({ ...product, txid }), 'NOT_OWNER')
    const moved = { ...product, owner: heir, txid }
    assert.equal((await opens(moved, request(moved))).content, 'for whoever owns it')
  })
})

/** Encrypts by AES-256-GCM; base64, the tag at the end. */
function seal(key, nonce, bytes) {
  const cipher = crypto.createCipheriv('aes-256-gcm', key, nonce)
  const parts = [cipher.update(bytes), cipher.final(), cipher.getAuthTag()]
  return Buffer.concat(parts).toString('base64')
}

/** Encrypts content in the predecessor's form, for a tag. */
function wrapped(uid, bytes) {
  const master = Buffer.from(secrets.master_secret, 'utf8')
  const info = 'patchproof-unlock-key'
  const wrapping = Buffer.from(crypto.hkdfSync('sha256', master, Buffer.from(uid), info, 32))
  const [key, wrapNonce, cipherNonce] = [32, 12, 12].map((size) => crypto.randomBytes(size))
  return {
    wrappedKeyB64: seal(wrapping, wrapNonce, key),
    wrapIvB64: wrapNonce.toString('base64'),
    ciphertextB64: seal(key, cipherNonce, bytes),
    cipherIvB64: cipherNonce.toString('base64')
  }
}

describe('the predecessor\'s wrapped content', () => {
  test('that node:crypto encrypted opens for the owner', async () => {
    const product = await owned('WRAPPED')
    const words = 'https://vault.example/größer?token=abc'
    const text = await opens(product, request(product, wrapped(product.uid, words)))
    assert.equal(text.content, words)
    const bytes = crypto.randomBytes(500)
    const nonce = await challenge(product)
    const json = request(product, { nonce, ...wrapped(product.uid, bytes) })
    const { content, contentEncoding } = await opens(product, json)
    assert.deepEqual(Buffer.from(content, contentEncoding), bytes)
  })

  test('that was made for another tag or changed opens nothing and costs no nonce', async () => {
    const product = await owned('BROKEN')
    const nonce = await challenge(product)
    const good = wrapped(product.uid, 'secret')
    const changed = Buffer.from(good.ciphertextB64, 'base64')
    changed[0] ^= 1
    for (const bad of [
      wrapped(`${product.uid}x`, 'secret'),
      { ...good, ciphertextB64: changed.toString('base64') },
      { ...good, wrapIvB64: good.cipherIvB64 },
      { ...good, cipherIvB64: undefined }
    ]) {
      const answer = await unlock(product, request(product, { nonce, ...bad }))
      assert.equal(answer.status, 400, answer.text)
      assert.equal(answer.json.content, undefined)
    }
    const { content } = await opens(product, request(product, { nonce, ...good }))
    assert.equal(content, 'secret')
  })
})

// What verification hands out, checked without asking PatchProof anything: canonical bytes,
// commitment on chain, the issuer's and the owners' signatures.

import assert from 'node:assert/strict'
import { before, describe, test } from 'node:test'

import { PublicKey, Signature } from '@bsv/sdk'
import bsv from 'bsv'

import { demo, freshTag, history, products, register, verify, verifyText } from './demo.mjs'
import { transactionHex } from './network.mjs'
import { Owner, transferMessage, verifiesWithNode } from './owner.mjs'
import { peers } from './peers.mjs'
import { canonical, commitment, payloadScript } from './records.mjs'

const [reader] = peers

const HARD_WORDS = {
  product: {
    name: '"Quotes", \\backslashes\\ / slashes, <b>&amp;</b>',
    category: 'Trikot №7 – größter Fan',
    sku: 'e\u0301 is not \u00e9',
    serial_number: '徽章一号',
    material: '\ufb33 \u{1d11e} \u{1f3c6}'
  },
  metadata: { notes: 'first line\n\tsecond line\n€ 5,00', patch_location: 'hem, ½ inside' }
}

let uids

before(async () => {
  const uid = freshTag('WORDS')
  await register(uid, Owner.random(), HARD_WORDS)
  uids = (await products()).map((product) => product.uid_tag_id)
})

/** Replaces the character at `index` by another one. */
const tampered = (text, index) => {
  const other = text[index] === 'x' ? 'y' : 'x'
  return text.slice(0, index) + other + text.slice(index + 1)
}

describe('the record of every product', () => {
  test('is sent as its canonical bytes', async () => {
    for (const uid of uids) {
      const text = await verifyText(uid)
      const bytes = canonical(JSON.parse(text).record)
      assert.ok(text.includes(`"record":${bytes},`), uid)
    }
  })

  test('is what its commitment and its transaction commit to', async () => {
    for (const uid of uids) {
      const { status, record, verificationDetails: details } = await verify(uid)
      assert.equal(status, 'authentic', details.reason)
      assert.match(details.salt, /^[0-9a-f]{32}$/)
      assert.equal(commitment(details.salt, canonical(record)), details.commitment)
      const onChain = reader.read(await transactionHex(details.currentTxid)).outputs[0]
      const kind = record.purpose === 'register_patch' ? 'register' : 'transfer'
      assert.equal(onChain.script, payloadScript(kind, details.commitment))
    }
  })

  test('is signed by the issuer, say @bsv/sdk and OpenSSL', async () => {
    const issuer = PublicKey.fromString(demo.issuerPublicKey)
    for (const uid of uids) {
      const { record, verificationDetails: details } = await verify(uid)
      const text = canonical(record)
      assert.equal(record.auth.issuer, demo.issuerPublicKey)
      assert.equal(details.issuerPublicKey, demo.issuerPublicKey)
      const signature = Signature.fromDER(details.issuerSignature, 'hex')
      assert.ok(issuer.verify(text, signature, 'utf8'), uid)
      assert.equal(signature.toDER('hex'), details.issuerSignature)
      assert.ok(verifiesWithNode(demo.issuerPublicKey, text, details.issuerSignature), uid)
    }
  })

  test('has a salt of its own', async () => {
    const states = await Promise.all(uids.map(verify))
    const salts = states.map((state) => state.verificationDetails.salt)
    assert.equal(new Set(salts).size, uids.length)
  })

  test('follows the event before it with the consent of the owner before', async () => {
    let transfers = 0
    for (const uid of uids) {
      const { record, verificationDetails: details } = await verify(uid)
      const events = await history(uid)
      assert.equal(details.owner, record.auth.owner)
      assert.equal(events.at(-1).owner, record.auth.owner)
      assert.equal(events.length, details.events)
      if (events.length === 1) {
        assert.equal(record.purpose, 'register_patch')
        assert.equal(record.auth.prev_txid, undefined)
        continue
      }
      transfers += 1
      const previous = events.at(-2)
      const { auth } = record
      assert.equal(record.purpose, 'transfer_ownership')
      assert.equal(auth.prev_txid, previous.txid)
      assert.equal(auth.prev_commitment, previous.commitment)
      const consent = transferMessage(uid, previous.txid, auth.owner)
      const key = PublicKey.fromString(auth.prev_owner_public_key)
      assert.equal(key.toAddress('testnet'), previous.owner)
      assert.ok(key.verify(consent, Signature.fromDER(auth.prev_owner_signature, 'hex'), 'utf8'))
      assert.ok(verifiesWithNode(auth.prev_owner_public_key, consent, auth.prev_owner_signature))
    }
    assert.ok(transfers >= 4)
  })
})

test('a record with any one character changed matches neither commitment nor signature', async () => {
  for (const uid of ['HLD-26-P-0002', uids.find((name) => name.startsWith('INTEROP-WORDS'))]) {
    const { record, verificationDetails: details } = await verify(uid)
    const text = canonical(record)
    for (let index = 0; index < text.length; index += 1) {
      const forged = tampered(text, index)
      assert.notEqual(commitment(details.salt, forged), details.commitment)
      const holds = verifiesWithNode(demo.issuerPublicKey, forged, details.issuerSignature)
      assert.equal(holds, false, `character ${index}`)
    }
  }
})

test('the addresses of the demo\'s owners are those that both libraries derive', async () => {
  assert.equal(demo.network, 'test')
  for (const { address, publicKey, privateKeyHex } of demo.owners) {
    const owner = new Owner(privateKeyHex)
    assert.equal(owner.address, address)
    assert.equal(owner.publicKey, publicKey)
    assert.equal(new bsv.PrivateKey(privateKeyHex, 'testnet').toAddress().toString(), address)
  }
})

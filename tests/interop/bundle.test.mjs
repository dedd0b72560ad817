// The proof bundle, taken apart by the SDK and by node's own cryptography: nothing of ours judges it.

import assert from 'node:assert/strict'
import crypto from 'node:crypto'
import { readFileSync } from 'node:fs'
import { before, describe, test } from 'node:test'

import { Beef, PublicKey, Signature, Transaction } from '@bsv/sdk'
import Ajv from 'ajv/dist/2020.js'

import { call, freshTag, postTransfer, register, transferred, until, verify } from './demo.mjs'
import { chainTracker, display, mine, sha256d } from './network.mjs'
import { Owner, transferMessage, verifiesWithNode } from './owner.mjs'

const schema = JSON.parse(readFileSync(new URL('../../docs/bundle.schema.json', import.meta.url)))
const followsSchema = new Ajv({ allErrors: true }).compile(schema)
const sha256 = (...parts) => crypto.createHash('sha256').update(Buffer.concat(parts)).digest()

/** Returns a product's bundle. */
async function bundleOf(uid) {
  const answer = await call('GET', `v1/patches/${encodeURIComponent(uid)}/proof`)
  assert.equal(answer.status, 200, answer.text)
  return answer.json
}

/** Asserts that a bundle has the published form. */
function hasPublishedForm(bundle) {
  assert.ok(followsSchema(bundle), JSON.stringify(followsSchema.errors))
}

describe('a proof bundle', () => {
  const [first, second] = [Owner.random(), Owner.random()]
  const uid = freshTag('BUNDLE')
  let unconfirmed
  let bundle

  before(async () => {
    const txid = await register(uid, first)
    unconfirmed = await bundleOf(uid)
    const request = {
      newOwnerAddress: second.address,
      currentOwnerPubKey: first.publicKey,
      currentOwnerSignature: first.signWithSdk(transferMessage(uid, txid, second.address))
    }
    await transferred(await postTransfer(txid, request))
    await mine()
    await until('the newest event is proved', async () => {
      const { verificationDetails: details } = await verify(uid)
      return details.owner === second.address && details.block?.merklePath
    })
    bundle = await until('everything is in a block', async () => {
      const found = await bundleOf(uid)
      return found.records.every(({ status }) => status === 'mined') && found
    })
  })

  test('has the form that is published, in a block and before', () => {
    hasPublishedForm(unconfirmed)
    hasPublishedForm(bundle)
    for (const spoil of [
      (it) => { it.version = 2 },
      (it) => { it.more = true },
      (it) => { delete it.headers },
      (it) => { it.records[0].salt = it.records[0].salt.toUpperCase().replace(/\d/g, 'A') }
    ]) {
      const spoiled = structuredClone(bundle)
      spoil(spoiled)
      assert.equal(followsSchema(spoiled), false)
    }
  })

  test('holds transactions that the SDK proves to be in its blocks', async () => {
    const beef = Beef.fromString(bundle.beef, 'hex')
    assert.equal(await beef.verify(chainTracker), true)
    for (const { txid } of bundle.records) {
      const transaction = beef.findAtomicTransaction(txid)
      assert.equal(await transaction.verify(chainTracker), true)
    }
    const known = new Map(bundle.headers.map(({ height, header }) => [height, header]))
    for (const bump of beef.bumps) {
      const header = Buffer.from(known.get(bump.blockHeight), 'hex')
      const root = display(header.subarray(36, 68))
      assert.equal(bump.computeRoot(), root)
    }
    for (const { hash, header } of bundle.headers) {
      assert.equal(display(sha256d(Buffer.from(header, 'hex'))), hash)
    }
  })

  test('holds records that their transactions commit to and the issuer signed', () => {
    const beef = Beef.fromString(bundle.beef, 'hex')
    for (const { record, salt, commitment, issuerSignature, txid } of bundle.records) {
      const bytes = Buffer.from(record, 'utf8')
      assert.equal(sha256(Buffer.from(salt, 'hex'), bytes).toString('hex'), commitment)
      const outputs = Transaction.fromBinary(beef.findTxid(txid).rawTx).outputs
      assert.ok(outputs.some((output) => output.lockingScript.toHex().includes(commitment)))
      const { issuer } = JSON.parse(record).auth
      assert.ok(bundle.issuers.includes(issuer))
      assert.ok(verifiesWithNode(issuer, record, issuerSignature))
      const signature = Signature.fromDER(issuerSignature, 'hex')
      assert.ok(PublicKey.fromString(issuer).verify([...bytes], signature))
    }
  })

  test('links each event to the one before by commitment, transaction and the owner\'s word', () => {
    const [registration, transfer] = bundle.records
    const { auth } = JSON.parse(transfer.record)
    assert.equal(auth.prev_commitment, registration.commitment)
    assert.equal(auth.prev_txid, registration.txid)
    const message = transferMessage(uid, registration.txid, second.address)
    assert.ok(verifiesWithNode(auth.prev_owner_public_key, message, auth.prev_owner_signature))
  })
})

// Owners with other people's keys and signatures hand products on, and strangers try to.

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import {
  call,
  demo,
  freshTag,
  history,
  postTransfer,
  products,
  register,
  transferred,
  until,
  verify
} from './demo.mjs'
import { Owner, highSTwin, transferMessage, unlockMessage } from './owner.mjs'

/** Registers a product for a new owner. */
async function owned(name) {
  const owner = Owner.random()
  const uid = freshTag(name)
  return { uid, owner, txid: await register(uid, owner) }
}

/** Writes a transfer as its owner's client would. */
const request = ({ uid, owner, txid }, heir, sign = 'signWithSdk') => ({
  newOwnerAddress: heir.address,
  currentOwnerPubKey: owner.publicKey,
  currentOwnerSignature: owner[sign](transferMessage(uid, txid, heir.address))
})

/** Checks that a request changes nothing and is answered by a problem with these words. */
async function refused(product, body, status, code) {
  const answer = await postTransfer(product.txid, body)
  assert.deepEqual([answer.status, answer.json?.code], [status, code], answer.text)
  assert.match(answer.headers.get('content-type'), /^application\/problem\+json/)
  const { verificationDetails: details } = await verify(product.uid)
  assert.equal(details.currentTxid, product.txid)
  assert.equal(details.owner, product.owner.address)
  assert.equal(details.isTransferPending, false)
}

async function handsOn(product, sign) {
  const heir = Owner.random()
  const before = await history(product.uid)
  const txid = await transferred(
    await postTransfer(product.txid, request(product, heir, sign))
  )
  const state = await until('the new owner is on file', async () => {
    const found = await verify(product.uid)
    return found.verificationDetails.currentTxid === txid && found
  })
  assert.equal(state.status, 'authentic', state.verificationDetails.reason)
  assert.equal(state.record.auth.owner, heir.address)
  assert.equal(state.verificationDetails.owner, heir.address)
  const events = await history(product.uid)
  assert.equal(events.length, before.length + 1)
  assert.deepEqual(
    events.slice(0, -1).map((event) => event.txid),
    before.map((event) => event.txid)
  )
  assert.equal(events.at(-1).txid, txid)
  return { ...product, owner: heir, txid }
}

describe('an owner hands a product on', () => {
  for (const [library, sign] of [
    ['@bsv/sdk', 'signWithSdk'],
    ['node:crypto', 'signWithNode'],
    ['bsv 1.5.6', 'signWithBsv']
  ]) {
    test(`with a signature by ${library}`, async () => {
      await handsOn(await owned('SIGN'), sign)
    })
  }

  test('of the demo\'s catalogue, with a key from demo.json', async () => {
    const keys = new Map(demo.owners.map((owner) => [owner.address, owner.privateKeyHex]))
    const listed = await products()
    const product = listed.find(
      ({ uid_tag_id: uid, owner }) => uid.startsWith('HLD-26-J') && keys.has(owner)
    )
    const owner = new Owner(keys.get(product.owner))
    await handsOn({ uid: product.uid_tag_id, owner, txid: product.current_txid }, 'signWithNode')
  })

  test('that was handed on before, again and again', async () => {
    let product = await owned('CHAIN')
    for (const sign of ['signWithSdk', 'signWithNode', 'signWithBsv']) {
      product = await handsOn(product, sign)
    }
    assert.equal((await history(product.uid)).length, 4)
  })

  test('whose tag needs escapes in JSON and in paths', async () => {
    const owner = Owner.random()
    const uid = `${freshTag('徽章')}/"a\\b" & c?`
    await handsOn({ uid, owner, txid: await register(uid, owner) }, 'signWithSdk')
  })
})

describe('nobody else does', () => {
  test('by a signature that was used before', async () => {
    const product = await owned('REPLAY')
    const body = request(product, Owner.random())
    const heir = await transferred(await postTransfer(product.txid, body))
    const answer = await postTransfer(product.txid, body)
    assert.deepEqual([answer.status, answer.json.code], [409, 'STATE_CONFLICT'])
    const { verificationDetails: details } = await verify(product.uid)
    assert.equal(details.currentTxid, heir)
    assert.equal((await history(product.uid)).length, 2)
  })

  test('by a key that is not the owner\'s', async () => {
    const product = await owned('STRANGER')
    const stranger = { ...product, owner: Owner.random() }
    await refused(product, request(stranger, Owner.random()), 403, 'NOT_OWNER')
  })

  test('by a signature of another key under the owner\'s name', async () => {
    const product = await owned('FORGED')
    const heir = Owner.random()
    const forged = request({ ...product, owner: Owner.random() }, heir)
    const body = { ...forged, currentOwnerPubKey: product.owner.publicKey }
    await refused(product, body, 403, 'INVALID_SIGNATURE')
  })

  test('by the high-S twin of a good signature', async () => {
    const product = await owned('HIGH-S')
    const body = request(product, Owner.random())
    const twin = { ...body, currentOwnerSignature: highSTwin(body.currentOwnerSignature) }
    await refused(product, twin, 403, 'INVALID_SIGNATURE')
    await transferred(await postTransfer(product.txid, body))
  })

  test('by a good signature of something else', async () => {
    const product = await owned('ELSE')
    const heir = Owner.random()
    const { uid, txid, owner } = product
    const another = '00'.repeat(32)
    const message = transferMessage(uid, txid, heir.address)
    const reordered = JSON.stringify(JSON.parse(message), [
      'uid_tag_id', 'purpose', 'currentTxid', 'newOwnerAddress'
    ])
    for (const signed of [
      transferMessage(uid, txid, Owner.random().address),
      transferMessage(uid, another, heir.address),
      transferMessage(`${uid}x`, txid, heir.address),
      transferMessage(uid, txid, heir.mainAddress),
      unlockMessage(uid, txid),
      JSON.stringify(JSON.parse(message), null, 1),
      reordered
    ]) {
      const body = request(product, heir)
      body.currentOwnerSignature = owner.signWithSdk(signed)
      await refused(product, body, 403, 'INVALID_SIGNATURE')
    }
  })

  test('to an address of the other network, or to no address', async () => {
    const product = await owned('NETWORK')
    const heir = Owner.random()
    for (const newOwnerAddress of [heir.mainAddress, `${heir.address}1`, heir.publicKey, '']) {
      const body = {
        newOwnerAddress,
        currentOwnerPubKey: product.owner.publicKey,
        currentOwnerSignature: product.owner.signWithSdk(
          transferMessage(product.uid, product.txid, newOwnerAddress)
        )
      }
      await refused(product, body, 400, 'VALIDATION_FAILED')
    }
  })

  test('without both the API key and the token', async () => {
    const product = await owned('KEYS')
    const json = request(product, Owner.random())
    const path = `v1/patches/${product.txid}/transfer-ownership`
    for (const credentials of [{}, { apiKey: true }, { bearer: true }]) {
      const answer = await call('POST', path, { ...credentials, json })
      assert.equal(answer.status, 401, answer.text)
    }
    assert.equal((await history(product.uid)).length, 1)
  })
})

test('of competing transfers exactly one wins', async () => {
  const product = await owned('RACE')
  const heirs = Array.from({ length: 6 }, () => Owner.random())
  const answers = await Promise.all(
    heirs.map((heir) => postTransfer(product.txid, request(product, heir)))
  )
  const won = answers.filter(({ status }) => status === 200 || status === 202)
  const lost = answers.filter(({ status, json }) => status === 409 && json.code === 'STATE_CONFLICT')
  assert.deepEqual([won.length, lost.length], [1, 5], answers.map((a) => a.text).join('\n'))
  const txid = await transferred(won[0])
  const { status, verificationDetails: details } = await verify(product.uid)
  assert.equal(status, 'authentic')
  assert.equal(details.currentTxid, txid)
  assert.equal(details.owner, heirs[answers.indexOf(won[0])].address)
  assert.equal((await history(product.uid)).length, 2)
})

// Registration by a plain client that knows the contract and nothing of the implementation.

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import { call, confirmed, freshTag, history, products, until, verify } from './demo.mjs'
import { acceptedTransactions } from './network.mjs'
import { Owner } from './owner.mjs'

const everyField = (uid, owner) => ({
  product: {
    uid_tag_id: uid,
    name: 'Home jersey 2026/27',
    category: 'jersey',
    sku: 'HLD-J-H26',
    serial_number: '260 001',
    material: 'Recycled polyester'
  },
  metadata: {
    notes: 'Two lines,\nno more.',
    image: 'https://images.example/jersey.jpg?size=2',
    patch_location: 'Left chest'
  },
  auth: { owner: owner.address }
})

const post = (json, headers = {}) => call('POST', 'v1/patches', { apiKey: true, json, headers })

describe('a registration', () => {
  test('brings every field back as it was sent', async () => {
    const owner = Owner.random()
    const uid = freshTag('FIELDS')
    const sent = everyField(uid, owner)
    const answer = await post(sent)
    assert.equal(answer.status, 201, answer.text)
    const { message, txid, pendingId, certificateUrl, ...rest } = answer.json
    assert.deepEqual(rest, { uid_tag_id: uid })
    assert.equal(typeof message, 'string')
    assert.match(txid, /^[0-9a-f]{64}$/)
    assert.ok(certificateUrl.endsWith(`/certificates/${uid}`))
    assert.equal(await confirmed('registration', answer), txid)
    const { status, record, verificationDetails: details } = await verify(uid)
    assert.equal(status, 'authentic', details.reason)
    assert.deepEqual(record.product, sent.product)
    assert.deepEqual(record.metadata, sent.metadata)
    assert.equal(record.auth.owner, owner.address)
    assert.equal(details.currentTxid, txid)
    const [event, ...others] = await history(uid)
    assert.deepEqual([event.id, event.txid, event.type], [pendingId, txid, 'register'])
    assert.deepEqual(others, [])
    const listed = (await products()).find((product) => product.uid_tag_id === uid)
    assert.deepEqual([listed.owner, listed.current_txid], [owner.address, txid])
  })

  test('with nothing but a tag and an owner leaves every other field out', async () => {
    const owner = Owner.random()
    const uid = freshTag('BARE')
    const answer = await post({ product: { uid_tag_id: uid }, auth: { owner: owner.address } })
    assert.equal(answer.status, 201, answer.text)
    const { record } = await verify(uid)
    assert.deepEqual(record.product, { uid_tag_id: uid })
    assert.deepEqual(record.metadata, {})
  })

  test('is queued for a client that will not wait', async () => {
    const uid = freshTag('ASYNC')
    const sent = everyField(uid, Owner.random())
    const answer = await post(sent, { prefer: 'respond-async' })
    assert.equal(answer.status, 202, answer.text)
    const { jobId, pendingId, uid_tag_id: echoed } = answer.json
    assert.deepEqual([jobId, echoed], [pendingId, uid])
    const location = answer.headers.get('location')
    assert.equal(location, `/v1/patches/pending/registration/${pendingId}`)
    assert.ok(Number(answer.headers.get('retry-after')) > 0)
    const polled = await until('the queued record is confirmed', async () => {
      const { json } = await call('GET', location)
      assert.ok(['pending', 'anchoring', 'confirmed'].includes(json.status), json.error)
      return json.status === 'confirmed' && json
    })
    assert.deepEqual([polled.id, polled.uid_tag_id, polled.error], [pendingId, uid, null])
    assert.equal((await verify(uid)).verificationDetails.currentTxid, polled.txid)
  })

  test('of a tag that is taken is refused', async () => {
    const uid = freshTag('TAKEN')
    const first = await post(everyField(uid, Owner.random()))
    const second = await post(everyField(uid, Owner.random()))
    assert.equal(first.status, 201, first.text)
    assert.equal(second.status, 409, second.text)
    assert.equal((await verify(uid)).verificationDetails.currentTxid, first.json.txid)
  })

  test('for a key of the other network, or with unknown fields, is refused', async () => {
    const owner = Owner.random()
    const uid = freshTag('WRONG')
    const good = everyField(uid, owner)
    for (const bad of [
      { ...good, auth: { owner: owner.mainAddress } },
      { ...good, auth: { owner: owner.publicKey } },
      { ...good, price: 1 },
      { ...good, product: { ...good.product, colour: 'red' } }
    ]) {
      const answer = await post(bad)
      assert.ok([400, 422].includes(answer.status), answer.text)
      assert.match(answer.headers.get('content-type'), /^application\/problem\+json/)
    }
    assert.equal((await call('GET', `v1/patches/verify/${uid}`)).status, 404)
  })
})

describe('an Idempotency-Key', () => {
  const keyed = (json, key) => post(json, { 'idempotency-key': key })

  test('gives the same bytes again and anchors nothing twice', async () => {
    const uid = freshTag('AGAIN')
    const sent = everyField(uid, Owner.random())
    const first = await keyed(sent, `key-${uid}`)
    assert.equal(first.status, 201, first.text)
    const before = (await acceptedTransactions()).length
    for (let round = 0; round < 3; round += 1) {
      const again = await keyed(sent, `key-${uid}`)
      assert.equal(again.status, first.status)
      assert.equal(again.text, first.text)
      assert.equal(again.headers.get('content-type'), first.headers.get('content-type'))
    }
    assert.equal((await acceptedTransactions()).length, before)
    assert.equal((await history(uid)).length, 1)
  })

  test('used for another body is refused', async () => {
    const uid = freshTag('OTHER')
    const sent = everyField(uid, Owner.random())
    assert.equal((await keyed(sent, `key-${uid}`)).status, 201)
    const other = await keyed(everyField(freshTag('OTHER'), Owner.random()), `key-${uid}`)
    assert.equal(other.status, 422, other.text)
  })

  test('sent many times at once registers once', async () => {
    const uid = freshTag('STORM')
    const sent = everyField(uid, Owner.random())
    const answers = await Promise.all(
      Array.from({ length: 8 }, () => keyed(sent, `key-${uid}`))
    )
    const texts = new Set()
    for (const { status, text } of answers) {
      assert.ok([201, 202, 409].includes(status), text)
      if (status === 201) texts.add(text)
    }
    assert.equal(texts.size, 1)
    assert.equal((await history(uid)).length, 1)
    const [replayed] = texts
    assert.equal((await keyed(sent, `key-${uid}`)).text, replayed)
  })
})

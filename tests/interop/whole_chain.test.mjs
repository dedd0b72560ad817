// Every transaction that the demo put on the network, judged by two libraries that other people
// wrote, and against what the contract says stands on chain.

import assert from 'node:assert/strict'
import { before, describe, test } from 'node:test'

import bsv from 'bsv'

import { demo, history, products, secrets, verify } from './demo.mjs'
import { acceptedTransactions, spenderOf, transactionHex } from './network.mjs'
import { peers } from './peers.mjs'
import { payloadScript, texts } from './records.mjs'

const SATOSHIS_PER_KB = 512
const MAX_FEE = 100_000
const SEAL = 1
/** The least text of a record that is told from chance in a few hundred bytes. */
const TELLING_BYTES = 5

const [reader] = peers

/** Every accepted transaction by identifier, with the parents of its inputs. */
const ledger = new Map()
/** Every product's events, oldest first, each with its tag. */
const chains = []
/** The signer's keys by name. */
const keys = new Map()

before(async () => {
  for (const { txid, hex } of await acceptedTransactions()) {
    ledger.set(txid, { hex, size: hex.length / 2, parsed: reader.read(hex) })
  }
  for (const entry of ledger.values()) {
    entry.parents = await Promise.all(
      entry.parsed.inputs.map(({ txid }) => ledger.get(txid)?.hex ?? transactionHex(txid))
    )
  }
  for (const { uid_tag_id: uid } of await products()) {
    chains.push((await history(uid)).map((event) => ({ ...event, uid })))
  }
  const answer = await fetch(new URL('/keys', demo.signerUrl), {
    headers: { authorization: `Bearer ${secrets.signer_key}` }
  })
  for (const key of await answer.json()) keys.set(key.keyIdentifier, key)
})

const anchors = () =>
  chains.flat().map((event) => ({ event, txid: event.txid, ...ledger.get(event.txid) }))

const lockTo = (key) => bsv.Script.buildPublicKeyHashOut(key.addressTest).toHex()

const spentSatoshis = ({ parsed, parents }) =>
  parsed.inputs
    .map(({ vout }, index) => reader.read(parents[index]).outputs[vout].satoshis)
    .reduce((sum, value) => sum + value, 0)

describe('every transaction on the network', () => {
  test('is an event of some product or a payment of the faucet, nothing else', () => {
    assert.ok(chains.length >= 25)
    const events = new Set(chains.flat().map((event) => event.txid))
    assert.equal(events.size, chains.flat().length, 'each event has a transaction of its own')
    for (const txid of events) assert.ok(ledger.has(txid), txid)
    const funding = lockTo(keys.get('funding'))
    for (const [txid, { parsed }] of ledger) {
      if (events.has(txid)) continue
      assert.ok(parsed.outputs.some(({ script }) => script === funding), `${txid} is the faucet's`)
    }
  })

  for (const peer of peers) {
    test(`is read and written again byte for byte by ${peer.name}`, () => {
      for (const [txid, { hex }] of ledger) {
        const parsed = peer.read(hex)
        assert.equal(parsed.txid, txid)
        assert.equal(parsed.hex, hex)
        assert.equal(parsed.version, 1)
        assert.equal(parsed.lockTime, 0)
      }
    })

    test(`spends only what the scripts let it spend, says ${peer.name}`, () => {
      for (const [txid, { hex, parsed, parents }] of ledger) {
        for (const index of parsed.inputs.keys()) {
          assert.equal(peer.judge(hex, index, parents[index]), 'accepted', `${txid}:${index}`)
        }
      }
    })

    test(`is refused by ${peer.name} once an output, its amount or the signer changes`, () => {
      for (const { hex, parsed, parents } of anchors()) {
        const [data] = parsed.outputs
        const changed = (from, to) => hex.replace(from, to)
        const digit = data.script.at(-1) === '0' ? '1' : '0'
        const dearer = hex.replace(/0100000000000000(1976a914)/, '0200000000000000$1')
        const other = changed(data.script, data.script.slice(0, -1) + digit)
        const key = parsed.inputs[0].script.slice(-66)
        const stranger = changed(key, keys.get('issuer').publicKey)
        for (const forged of [dearer, other, stranger]) {
          assert.notEqual(forged, hex)
          assert.match(peer.judge(forged, 0, parents[0]), /^refused/)
        }
      }
    })
  }

  test('is read alike by both libraries', () => {
    for (const { hex } of ledger.values()) {
      assert.deepEqual(peers[0].read(hex), peers[1].read(hex))
    }
  })
})

describe('an anchoring transaction', () => {
  test('pays its rate, and never more than the cap', () => {
    for (const anchor of anchors()) {
      const paid = anchor.parsed.outputs.reduce((sum, { satoshis }) => sum + satoshis, 0)
      const fee = spentSatoshis(anchor) - paid
      const due = Math.ceil((anchor.size * SATOSHIS_PER_KB) / 1000)
      assert.ok(fee >= due, `${anchor.txid} pays ${fee} of ${due}`)
      assert.ok(fee <= MAX_FEE, `${anchor.txid} pays ${fee}`)
      // Signatures vary by a few bytes, so a fee is set for the largest ones.
      const slack = Math.ceil((anchor.parsed.inputs.length * 3 * SATOSHIS_PER_KB) / 1000)
      const hasChange = anchor.parsed.outputs.length === 3
      assert.ok(!hasChange || fee <= due + slack, `${anchor.txid} pays ${fee} instead of ${due}`)
    }
  })

  test('consists of the commitment, the seal and the change', () => {
    const seal = { satoshis: SEAL, script: lockTo(keys.get('custody')) }
    const change = lockTo(keys.get('change'))
    for (const { event, parsed } of anchors()) {
      const [first, second, ...rest] = parsed.outputs
      const script = payloadScript(event.type, event.commitment)
      assert.deepEqual(first, { satoshis: 0, script })
      assert.deepEqual(second, seal)
      assert.ok(rest.length <= 1)
      for (const output of rest) assert.equal(output.script, change)
    }
  })

  test('is signed with keys that sign nothing else', () => {
    const issuer = keys.get('issuer').publicKey
    assert.equal(issuer, demo.issuerPublicKey)
    assert.equal(new Set([...keys.values()].map((key) => key.publicKey)).size, keys.size)
    for (const { event, parsed } of anchors()) {
      const signers = parsed.inputs.map(({ script }) => script.slice(-66))
      const custody = event.type === 'transfer' ? [keys.get('custody').publicKey] : []
      const pool = [keys.get('funding').publicKey, keys.get('change').publicKey]
      assert.deepEqual(signers.slice(0, custody.length), custody)
      for (const signer of signers.slice(custody.length)) assert.ok(pool.includes(signer))
    }
  })

  test('holds no word of a record and no trace of an owner', async () => {
    const everything = anchors().map(({ txid, hex }) => ({ txid, bytes: Buffer.from(hex, 'hex') }))
    const traces = new Set()
    for (const [{ uid }] of chains) {
      const { record } = await verify(uid)
      for (const { path, text } of texts(record)) {
        // These two name what is public on chain anyway: the event that is spent.
        if (path === '.auth.prev_txid' || path === '.auth.prev_commitment') continue
        const bytes = Buffer.from(text, 'utf8')
        if (bytes.length >= TELLING_BYTES) traces.add(bytes.toString('hex'))
        if (/^([0-9a-f]{2}){20,}$/.test(text)) traces.add(text)
      }
    }
    for (const { owner } of chains.flat()) {
      traces.add(bsv.Address.fromString(owner).hashBuffer.toString('hex'))
    }
    assert.ok(traces.size > 100)
    for (const trace of traces) {
      const needle = Buffer.from(trace, 'hex')
      const found = everything.find(({ bytes }) => bytes.includes(needle))
      assert.equal(found, undefined, `${needle} stands in ${found?.txid}`)
    }
  })
})

describe('the seals of a product', () => {
  test('make a chain that is its history', async () => {
    assert.ok(chains.some((chain) => chain.length === 4))
    for (const chain of chains) {
      assert.equal(chain[0].type, 'register')
      assert.equal(chain[0].prev_txid, null)
      for (const [index, event] of chain.entries()) {
        const next = chain[index + 1]
        const spender = await spenderOf(event.txid, 1)
        assert.equal(spender?.txid, next?.txid, `the seal of ${event.txid}`)
        if (!next) continue
        assert.equal(spender.vin, 0)
        assert.equal(next.type, 'transfer')
        assert.equal(next.prev_txid, event.txid)
        const [seal] = ledger.get(next.txid).parsed.inputs
        assert.deepEqual([seal.txid, seal.vout], [event.txid, 1])
      }
    }
  })
})

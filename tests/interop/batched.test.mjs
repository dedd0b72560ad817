// Batches, judged by an RFC 9162 library of another make, by the SDK, and by what stands on chain.

import assert from 'node:assert/strict'
import { before, describe, test } from 'node:test'

import { Beef, Transaction } from '@bsv/sdk'
import { RFC9162 } from '@transmute/rfc9162'

import { certificate, modulesOf, proofIn, taken } from './certificate.mjs'
import { call, freshTag, until, verify } from './demo.mjs'
import { chainTracker, mine, transactionHex } from './network.mjs'
import { Owner } from './owner.mjs'

const RECORDS = 21
const bytes = (hex) => new Uint8Array(Buffer.from(hex, 'hex'))

/** Returns the Merkle root and the tree size that a batch's transaction commits to. */
function committed(rawTx) {
  const tag = Buffer.from('PatchProof').toString('hex')
  const pattern = new RegExp(`^006a0a${tag}011320(.{64})08(.{16})`)
  const scripts = Transaction.fromHex(rawTx).outputs.map((it) => it.lockingScript.toHex())
  const [, root, size] = scripts.map((script) => pattern.exec(script)).find(Boolean)
  return { root, size: Number(Buffer.from(size, 'hex').readBigUInt64LE()) }
}

async function bundleOf(uid) {
  const answer = await call('GET', `v1/patches/${encodeURIComponent(uid)}/proof`)
  assert.equal(answer.status, 200, answer.text)
  return answer.json
}

const proofOf = ({ leafIndex, treeSize, path }) => ({
  log_id: '',
  tree_size: treeSize,
  leaf_index: leafIndex,
  inclusion_path: path.map(bytes)
})

const isIncluded = async (root, commitment, proof) =>
  RFC9162.verifyInclusionProof(bytes(root), await RFC9162.leaf(bytes(commitment)), proof)

describe('a batch', () => {
  const uids = Array.from({ length: RECORDS }, () => freshTag('BATCH'))
  let onChain
  let bundles
  let txid

  before(async () => {
    for (const uid of uids) {
      const json = { product: { uid_tag_id: uid }, auth: { owner: Owner.random().address } }
      const answer = await call('POST', 'v1/patches', { apiKey: true, json })
      assert.equal(answer.status, 202, answer.text)
    }
    // The demo's own task may have taken some of them already, or may be at it.
    await call('POST', 'v1/admin/batch-anchor', { apiKey: true, json: { limit: 1000 } })
    await until('all are on the network', async () => {
      const told = await Promise.all(uids.map(verify))
      return told.every(({ status }) => status === 'authentic')
    })
    await mine()
    bundles = await until('all are in a block', async () => {
      const found = await Promise.all(uids.map(bundleOf))
      return found.every(({ records }) => records[0].status === 'mined') && found
    })
    const carriers = new Set(bundles.map(({ records }) => records[0].txid))
    onChain = new Map()
    for (const carrier of carriers) onChain.set(carrier, committed(await transactionHex(carrier)))
    txid = [...carriers][0]
  })

  test('holds every record under the root on chain, by another library', async () => {
    for (const { records: [{ commitment, inclusion, txid: carrier }] } of bundles) {
      const { root, size } = onChain.get(carrier)
      assert.equal(inclusion.treeSize, size)
      assert.ok(await isIncluded(root, commitment, proofOf(inclusion)))
    }
  })

  test('has the root that another library makes of its commitments', async () => {
    for (const [carrier, { root, size }] of onChain) {
      const members = bundles.map(({ records: [it] }) => it).filter((it) => it.txid === carrier)
      if (members.length !== size) continue
      members.sort((a, b) => a.inclusion.leafIndex - b.inclusion.leafIndex)
      const head = await RFC9162.treeHead(members.map((it) => bytes(it.commitment)))
      assert.equal(Buffer.from(head).toString('hex'), root)
    }
    const sizes = [...onChain.values()].map(({ size }) => size)
    assert.equal(sizes.reduce((a, b) => a + b), RECORDS, 'no batch holds anything else')
  })

  test('holds nothing else: another commitment, place or path fails', async () => {
    const { commitment, inclusion, txid: carrier } = bundles[0].records[0]
    const { root } = onChain.get(carrier)
    const other = bundles[1].records[0].commitment
    const proof = proofOf(inclusion)
    assert.equal(await isIncluded(root, other, proof), false)
    const place = (inclusion.leafIndex + 1) % inclusion.treeSize
    assert.equal(await isIncluded(root, commitment, { ...proof, leaf_index: place }), false)
    const path = proof.inclusion_path.slice(1)
    assert.equal(await isIncluded(root, commitment, { ...proof, inclusion_path: path }), false)
  })

  test('is carried by a transaction that the SDK proves to be in its block', async () => {
    for (const { beef, records: [{ txid: carrier }] } of bundles) {
      const read = Beef.fromString(beef, 'hex')
      assert.equal(await read.verify(chainTracker), true)
      assert.equal(await read.findAtomicTransaction(carrier).verify(chainTracker), true)
    }
  })

  test('is proved by the check in the browser', async () => {
    for (const uid of [uids[0], uids.at(-1)]) {
      const page = await (await certificate(uid)).text()
      const { check, parseEmbedded } = await modulesOf(page)
      const { verdict, steps } = taken(check(parseEmbedded(proofIn(page))))
      assert.equal(verdict, 'proved', JSON.stringify(steps.filter((it) => it.outcome === 'failed')))
      assert.ok(steps.some(({ name, outcome }) => name === 'on-chain' && outcome === 'ok'))
    }
  })

  test('stands in the public list of anchors with its root, size and block', async () => {
    const { json } = await call('GET', 'v1/anchors?kind=batch&limit=200')
    const listed = json.items.find((it) => it.txid === txid)
    assert.equal(listed.commitment, onChain.get(txid).root)
    assert.equal(listed.size, onChain.get(txid).size)
    assert.match(listed.block.hash, /^[0-9a-f]{64}$/)
  })
})

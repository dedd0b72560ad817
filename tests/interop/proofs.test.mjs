// Merkle paths (BUMP) and transactions with their ancestry (BEEF), read and checked by the SDK's
// own code, and written by it from raw blocks to be compared byte for byte.
//
// The demo mines nothing by itself here, so what is mined is what a test mined.

import assert from 'node:assert/strict'
import { before, describe, test } from 'node:test'

import { Beef, MerklePath, SatoshisPerKilobyte, Transaction } from '@bsv/sdk'

import {
  beef,
  freshTag,
  history,
  postTransfer,
  products,
  register,
  transferred,
  until,
  verify
} from './demo.mjs'
import {
  acceptedTransactions,
  chainTracker,
  display,
  header,
  headerBytes,
  merkleLevels,
  mine,
  rawHeader,
  reorganise,
  sha256d,
  targetOf,
  transactionHex,
  tscProof
} from './network.mjs'
import { Owner, transferMessage } from './owner.mjs'

const FEE_MODEL = new SatoshisPerKilobyte(512)

const blockOf = async (uid) => (await verify(uid)).verificationDetails.block

/** Mines what waits and waits until PatchProof knows the proof of each product. */
async function bury(uids) {
  await mine()
  for (const uid of uids) {
    await until(`${uid} is proved`, async () => (await blockOf(uid))?.merklePath)
  }
}

async function registerSome(name, count) {
  const owner = Owner.random()
  const uids = Array.from({ length: count }, () => freshTag(name))
  for (const uid of uids) await register(uid, owner)
  return { owner, uids }
}

/** Lists the transactions of a block in its order; the coinbase is known by its neighbour. */
async function transactionsOf(blockHash) {
  const mined = (await acceptedTransactions()).filter(({ block }) => block === blockHash)
  const placed = []
  for (const { txid } of mined) {
    const { index, nodes } = await tscProof(txid)
    placed[index] = txid
    if (index === 1) placed[0] = nodes[0]
  }
  assert.ok(Array.from(placed).every(Boolean), 'the block is known whole')
  return placed
}

/** Makes the SDK's path of a transaction from all transactions of its block. */
async function pathBySdk(txid, height) {
  const levels = merkleLevels(await transactionsOf((await header(height)).hash))
  const place = levels[0].indexOf(txid)
  const path = levels.slice(0, -1).map((level, depth) => {
    const sibling = (place >> depth) ^ 1
    const hash = level[sibling]
    const node = hash ? { offset: sibling, hash } : { offset: sibling, duplicate: true }
    const own = { offset: place, hash: txid, txid: true }
    return (depth === 0 ? [own, node] : [node]).sort((a, b) => a.offset - b.offset)
  })
  return new MerklePath(height, path)
}

/** Makes the SDK's transaction with everything that proves it, from raw transactions and blocks. */
async function assemble(txid, seen = new Map()) {
  if (seen.has(txid)) return seen.get(txid)
  const tx = Transaction.fromHex(await transactionHex(txid))
  seen.set(txid, tx)
  const proof = await tscProof(txid)
  if (proof) {
    tx.merklePath = await pathBySdk(txid, (await header(proof.target)).height)
    return tx
  }
  for (const input of tx.inputs) {
    input.sourceTransaction = await assemble(input.sourceTXID, seen)
  }
  return tx
}

/** Hands a product on and returns its new transaction, not waiting for any block. */
async function handOn({ uid, owner, heir, txid }) {
  const answer = await postTransfer(txid, {
    newOwnerAddress: heir.address,
    currentOwnerPubKey: owner.publicKey,
    currentOwnerSignature: owner.signWithSdk(transferMessage(uid, txid, heir.address))
  })
  return transferred(answer)
}

/** Checks a BEEF in every way that the SDK has, and returns its subject. */
async function provedBySdk(hex, txid) {
  const bundle = Beef.fromString(hex, 'hex')
  assert.ok(bundle.isValid())
  assert.ok(await bundle.verify(chainTracker))
  const tx = Transaction.fromHexBEEF(hex)
  assert.equal(tx.id('hex'), txid)
  assert.equal(await tx.verify(chainTracker, FEE_MODEL), true)
  return tx
}

/** Lists what a BEEF holds, in an order that does not depend on its writer. */
function contents(hex) {
  const { bumps, txs } = Beef.fromString(hex, 'hex')
  const paths = bumps.map((bump) => bump.toHex())
  const transactions = txs.map((entry) => ({
    txid: entry.txid,
    raw: entry.tx.toHex(),
    path: paths[entry.bumpIndex]
  }))
  const byTxid = (a, b) => (a.txid < b.txid ? -1 : 1)
  return { paths: paths.toSorted(), transactions: transactions.toSorted(byTxid) }
}

const strangeChain = { ...chainTracker, isValidRootForHeight: async () => false }

describe('the block of a mined product', () => {
  let uids

  before(async () => {
    uids = (await products()).map((product) => product.uid_tag_id)
    await bury(uids)
  })

  test('is proved by a path that the SDK climbs to the root of the header', async () => {
    for (const uid of uids) {
      const { verificationDetails: details } = await verify(uid)
      const { block, currentTxid } = details
      const path = MerklePath.fromHex(block.merklePath)
      assert.equal(path.toHex(), block.merklePath)
      assert.equal(path.blockHeight, block.height)
      const shown = await header(block.hash)
      assert.equal(path.computeRoot(currentTxid), shown.merkleroot)
      assert.ok(await path.verify(currentTxid, chainTracker))
      assert.equal(await path.verify(currentTxid, strangeChain), false)
      assert.equal(shown.height, block.height)
      assert.equal(new Date(block.time).getTime(), shown.time * 1000)
    }
  })

  test('has a header whose bytes hash to its name, under its target', async () => {
    const blocks = await Promise.all(uids.map(blockOf))
    for (const hash of new Set(blocks.map((block) => block.hash))) {
      const shown = await header(hash)
      const bytes = headerBytes(shown)
      assert.equal(bytes.toString('hex'), (await rawHeader(shown.height)).toString('hex'))
      const name = display(sha256d(bytes))
      assert.equal(name, hash)
      assert.ok(BigInt(`0x${name}`) <= targetOf(shown.bits))
    }
  })

  test('is proved for every event of the history', async () => {
    let count = 0
    for (const uid of uids) {
      for (const { txid, block } of await history(uid)) {
        const path = MerklePath.fromHex(block.merklePath)
        assert.equal(path.computeRoot(txid), (await header(block.height)).merkleroot)
        count += 1
      }
    }
    assert.ok(count > uids.length)
  })

  test('is proved by BEEF that the SDK writes to the same bytes', async () => {
    for (const uid of uids) {
      const { currentTxid, block } = (await verify(uid)).verificationDetails
      const hex = await beef(uid)
      const tx = await provedBySdk(hex, currentTxid)
      assert.equal(tx.merklePath.toHex(), block.merklePath)
      assert.ok(tx.toHexBEEF() === hex, `the SDK writes the BEEF of ${uid} otherwise`)
      await assert.rejects(tx.verify(strangeChain), /Invalid merkle path/)
    }
  })
})

describe('blocks of all small sizes', () => {
  for (const count of [1, 2, 3, 4, 5, 6, 7, 8]) {
    test(`give the paths and the BEEF that the SDK makes of them (${count + 1} transactions)`, async () => {
      const { uids } = await registerSome(`BLOCK${count}`, count)
      await bury(uids)
      for (const uid of uids) {
        const { currentTxid, block } = (await verify(uid)).verificationDetails
        assert.equal((await transactionsOf(block.hash)).length, count + 1)
        const path = await pathBySdk(currentTxid, block.height)
        assert.equal(path.computeRoot(currentTxid), (await header(block.hash)).merkleroot)
        assert.equal(block.merklePath, path.toHex())
        const theirs = (await assemble(currentTxid)).toHexBEEF()
        assert.ok((await beef(uid)) === theirs, `the SDK writes the BEEF of ${uid} otherwise`)
      }
    })
  }
})

describe('a product that is not mined yet', () => {
  let uid, owner, registered, moved

  before(async () => {
    const made = await registerSome('UNMINED', 3)
    await bury(made.uids)
    owner = made.owner
    uid = made.uids[0]
    registered = (await verify(uid)).verificationDetails.currentTxid
    const heir = Owner.random()
    moved = { uid, owner: heir, txid: await handOn({ uid, owner, heir, txid: registered }) }
  })

  test('is proved by its mined ancestors', async () => {
    assert.equal(await blockOf(uid), null)
    const tx = await provedBySdk(await beef(uid), moved.txid)
    assert.equal(tx.merklePath, undefined)
    assert.equal(tx.inputs[0].sourceTransaction.id('hex'), registered)
    assert.ok(tx.inputs.every(({ sourceTransaction }) => sourceTransaction.merklePath))
    await assert.rejects(tx.verify(strangeChain), /Invalid merkle path/)
  })

  test('is proved through unmined ancestors, however often it moved', async () => {
    let { owner: from, txid } = moved
    for (let round = 0; round < 4; round += 1) {
      const heir = Owner.random()
      txid = await handOn({ uid, owner: from, heir, txid })
      from = heir
      const hex = await beef(uid)
      await provedBySdk(hex, txid)
      const ours = Beef.fromString(hex, 'hex')
      const unmined = ours.txs.filter(({ bumpIndex }) => bumpIndex === undefined)
      assert.ok(unmined.length >= round + 2)
    }
    moved = { uid, owner: from, txid }
  })

  test('has the BEEF that the SDK makes of the same transactions and blocks', async () => {
    const ours = await beef(uid)
    const theirs = (await assemble(moved.txid)).toHexBEEF()
    assert.equal(ours.length, theirs.length)
    // Any order with parents first is right; what is in order differs between two writers.
    assert.deepEqual(contents(ours), contents(theirs))
  })

  test('is not proved once a signature, an ancestor or a path is changed', async () => {
    const hex = await beef(uid)
    const subject = Transaction.fromHexBEEF(hex)
    const signature = subject.inputs[0].unlockingScript.toHex()
    const bundle = Beef.fromString(hex, 'hex')
    const ancestor = bundle.txs.find(({ bumpIndex }) => bumpIndex !== undefined).tx.toHex()
    const path = bundle.bumps[0].toHex()
    // One digit: of the signature's r, of the ancestor's last output, of the path's last node.
    for (const [part, index] of [
      [signature, 20],
      [ancestor, ancestor.length - 20],
      [path, path.length - 1]
    ]) {
      const digit = part[index] === '0' ? '1' : '0'
      const forged = hex.replace(part, part.slice(0, index) + digit + part.slice(index + 1))
      assert.notEqual(forged, hex)
      const holds = async () => Transaction.fromHexBEEF(forged).verify(chainTracker)
      assert.notEqual(await holds().catch(() => false), true)
    }
  })
})

test('a reorganisation takes a proof back, and the next block gives a new one', async () => {
  const { uids: [uid] } = await registerSome('REORG', 1)
  await bury([uid])
  const { currentTxid, block: old } = (await verify(uid)).verificationDetails
  await reorganise(1)
  const state = await until(`${uid} has left its block`, async () => {
    const found = await verify(uid)
    return found.verificationDetails.block?.hash !== old.hash && found
  })
  assert.equal(state.status, 'authentic', state.verificationDetails.reason)
  assert.equal(state.verificationDetails.currentTxid, currentTxid)
  await provedBySdk(await beef(uid), currentTxid)
  await bury([uid])
  const { block } = (await verify(uid)).verificationDetails
  assert.notEqual(block.hash, old.hash)
  assert.ok(await MerklePath.fromHex(block.merklePath).verify(currentTxid, chainTracker))
  assert.equal(await MerklePath.fromHex(old.merklePath).verify(currentTxid, chainTracker), false)
  await provedBySdk(await beef(uid), currentTxid)
})

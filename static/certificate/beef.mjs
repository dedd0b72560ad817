// BEEF (BRC-62): transactions with the ancestors and the Merkle paths that prove them, and the
// headers of their blocks.

import { Reader, demand, display, equal, sha256d } from './bytes.mjs'
import { readPath } from './merkle.mjs'
import { readTransaction } from './transaction.mjs'

const VERSION_1 = Uint8Array.of(0x01, 0x00, 0xbe, 0xef)
const EASIEST = { public: 0x1d00ffff, simulated: 0x207fffff }

/** Reads a BEEF; parents come before children, nothing unproven lacks a parent. */
export function readBeef(bytes) {
  const reader = new Reader(bytes)
  demand(equal(reader.take(4), VERSION_1), 'the BEEF has another version')
  const paths = reader.list(readPath)
  const transactions = reader.list((it) => {
    const transaction = readTransaction(it)
    const marker = it.u8()
    demand(marker <= 1, 'a marker has an unknown value')
    if (marker === 1) {
      transaction.path = paths[it.varint()]
      demand(transaction.path, 'a transaction refers to a path that is not there')
    }
    return transaction
  })
  reader.finish()
  demand(transactions.length > 0, 'the BEEF holds no transaction')
  const before = new Set()
  const all = new Set(transactions.map(({ txid }) => txid))
  for (const transaction of transactions) {
    checkPlace(transaction, before, all)
    before.add(transaction.txid)
  }
  return { paths, transactions }
}

function checkPlace(transaction, before, all) {
  demand(!before.has(transaction.txid), 'a transaction stands twice')
  const { bytes, hash, path, inputs } = transaction
  // A node of the tree hashes 64 bytes: such a transaction could be a node, too.
  demand(bytes.length > 60 && bytes.length !== 64, 'a transaction has a size that proves nothing')
  const isLeaf = path?.leaves.some((leaf) => leaf.hash && equal(leaf.hash, hash))
  demand(!path || isLeaf, 'a path does not hold its transaction')
  for (const { txid: parent } of inputs) {
    demand(before.has(parent) || !all.has(parent), 'a parent stands after its child')
    demand(path || before.has(parent), 'an unproven transaction lacks its parent')
  }
}

/** Reads a block's header of 80 bytes. */
export function readHeader(bytes) {
  const reader = new Reader(bytes)
  reader.take(36)
  const root = reader.take(32)
  const [time, bits] = [reader.u32(), reader.u32()]
  reader.take(4)
  reader.finish()
  return { root, time, bits, hash: display(sha256d(bytes)) }
}

/** Returns the number that a header's hash must not exceed; nothing where there is none. */
function target(bits) {
  const [exponent, mantissa] = [BigInt(bits >>> 24), BigInt(bits & 0x7fffff)]
  if ((bits & 0x800000) !== 0) return undefined
  const number = exponent <= 3n ? mantissa >> (8n * (3n - exponent)) : mantissa << (8n * (exponent - 3n))
  return number > 0n && number < 1n << 256n ? number : undefined
}

/** Says whether headers claim less work than any public network takes, which is for tests alone. */
export const isSimulated = (network, headers) =>
  network === 'test' && headers.some(({ bits }) => target(bits) > target(EASIEST.public))

/** Demands that a header is worth its work. */
export function checkWork(header, isEasy) {
  const most = target(header.bits)
  demand(most !== undefined, 'the target is not valid')
  demand(most <= target(isEasy ? EASIEST.simulated : EASIEST.public), 'the target is too easy')
  demand(BigInt(`0x${header.hash}`) <= most, 'no work was done')
}

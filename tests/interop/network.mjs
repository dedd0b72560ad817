// The simulated network as an explorer shows it, and block arithmetic that trusts none of it.

import crypto from 'node:crypto'

import { demo } from './demo.mjs'

const simUrl = (path) => new URL(`/sim/${path}`, demo.chainUrl)

async function ask(url, init) {
  const answer = await fetch(url, init)
  if (!answer.ok) throw new Error(`${url}: ${answer.status} ${await answer.text()}`)
  return answer
}

const explorer = (path) => ask(`${demo.chainUrl}/${path}`)

/** Lists every transaction that the network ever accepted, in that order; no coinbases. */
export async function acceptedTransactions() {
  const found = []
  for (;;) {
    const page = await (await ask(simUrl(`transactions?limit=50&after=${found.length}`))).json()
    if (page.length === 0) return found
    found.push(...page)
  }
}

/** Returns any transaction of the network, in hexadecimal. */
export const transactionHex = async (txid) => (await explorer(`tx/${txid}/hex`)).text()

/** Returns the explorer's header of a block, by hash or height. */
export const header = async (block) => (await explorer(`block/${block}/header`)).json()

/** Returns the 80 bytes of the header at a height of the best chain. */
export async function rawHeader(height) {
  const lines = await (await ask(simUrl(`headers?from=${height}&count=1`))).text()
  return Buffer.from(lines.trim(), 'hex')
}

/** Returns the explorer's Merkle proof (TSC form), or nothing while there is none. */
export async function tscProof(txid) {
  const proofs = await (await explorer(`tx/${txid}/proof/tsc`)).json()
  return proofs?.[0]
}

/** Says who spends an output, or nothing while nobody does. */
export async function spenderOf(txid, vout) {
  const answer = await fetch(`${demo.chainUrl}/tx/${txid}/${vout}/spent`)
  if (answer.status === 404) return undefined
  if (!answer.ok) throw new Error(`${txid}:${vout}: ${answer.status} ${await answer.text()}`)
  return answer.json()
}

const command = (name, request) =>
  ask(simUrl(name), {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(request)
  })

/** Mines a block with everything that waits. */
export const mine = () => command('mine', { blocks: 1 })

/** Replaces the newest `depth` blocks by a longer branch of empty ones. */
export const reorganise = (depth) => command('reorg', { depth })

/** Answers the SDK's questions about the chain from the headers' bytes. */
export const chainTracker = {
  async isValidRootForHeight(root, height) {
    const bytes = await rawHeader(height)
    return bytes.length === 80 && display(bytes.subarray(36, 68)) === root
  },
  async currentHeight() {
    return (await (await explorer('chain/info')).json()).blocks
  }
}

/** Writes a header's 80 bytes from the fields that the explorer shows. */
export function headerBytes(shown) {
  const bytes = Buffer.alloc(80)
  bytes.writeUInt32LE(shown.version, 0)
  internal(shown.previousblockhash).copy(bytes, 4)
  internal(shown.merkleroot).copy(bytes, 36)
  bytes.writeUInt32LE(shown.time, 68)
  bytes.writeUInt32LE(parseInt(shown.bits, 16), 72)
  bytes.writeUInt32LE(shown.nonce, 76)
  return bytes
}

/** Returns the number that a hash must not exceed, by the compact form of the target. */
export function targetOf(bits) {
  const compact = parseInt(bits, 16)
  return BigInt(compact & 0x7fffff) << (8n * (BigInt(compact >>> 24) - 3n))
}

/** Returns SHA-256 twice. */
export const sha256d = (bytes) => sha256(sha256(bytes))

/** Returns SHA-256. */
export const sha256 = (bytes) => crypto.createHash('sha256').update(bytes).digest()

/** Turns bytes as hashed into hexadecimal as shown. */
export const display = (bytes) => Buffer.from(bytes).reverse().toString('hex')

/** Turns hexadecimal as shown into bytes as hashed. */
export const internal = (hex) => Buffer.from(hex, 'hex').reverse()

/**
 * Rebuilds the Merkle tree of a block from the identifiers of its transactions: its levels from
 * the transactions to the root, as shown.
 */
export function merkleLevels(txids) {
  const levels = [txids]
  while (levels.at(-1).length > 1) {
    const below = levels.at(-1)
    const level = []
    for (let i = 0; i < below.length; i += 2) {
      const right = below[i + 1] ?? below[i]
      level.push(display(sha256d(Buffer.concat([internal(below[i]), internal(right)]))))
    }
    levels.push(level)
  }
  return levels
}

// Transactions: their parts, what they commit to, and whether they may spend what they spend.

import { Reader, concat, demand, display, equal, hash160, sha256d, toHex, utf8 } from './bytes.mjs'
import { isSigned } from './signature.mjs'

const NAME = utf8('PatchProof')
const SIGHASH_ALL_FORKID = 0x41
/** The types of payloads by the byte version‖kind. */
const KINDS = { 0x11: 'register', 0x12: 'transfer', 0x13: 'batch' }

/** Reads a transaction off a reader. */
export function readTransaction(reader) {
  const start = reader.position
  const version = reader.take(4)
  const inputs = reader.list((it) => ({
    outpoint: it.take(36),
    script: it.varBytes(),
    sequence: it.take(4)
  }))
  const outputs = reader.list((it) => {
    const begin = it.position
    const value = it.amount()
    const script = it.varBytes()
    return { value, script, bytes: it.since(begin) }
  })
  const lockTime = reader.take(4)
  const bytes = reader.since(start)
  for (const input of inputs) {
    input.txid = display(input.outpoint.slice(0, 32))
    input.vout = new Reader(input.outpoint.slice(32)).u32()
  }
  return { version, inputs, outputs, lockTime, bytes, hash: sha256d(bytes), txid: display(sha256d(bytes)) }
}

/** Splits a script `OP_FALSE OP_RETURN push…` into its pushes; nothing if it is another one. */
function pushesOf(script) {
  if (script[0] !== 0x00 || script[1] !== 0x6a) return undefined
  const reader = new Reader(script.slice(2))
  const pushes = []
  try {
    while (reader.position < script.length - 2) pushes.push(reader.take(pushLength(reader)))
  } catch {
    return undefined
  }
  return pushes
}

function pushLength(reader) {
  const code = reader.u8()
  if (code <= 75) return code
  const width = { 0x4c: 1, 0x4d: 2, 0x4e: 4 }[code]
  demand(width !== undefined, 'another opcode')
  return reader.take(width).reduceRight((length, byte) => length * 256 + byte, 0)
}

function payloadOfScript(script) {
  const pushes = pushesOf(script)
  if (!pushes || pushes.length < 3 || !equal(pushes[0], NAME) || pushes[1].length !== 1) return undefined
  const [, [marker], digest, ...rest] = pushes
  const kind = KINDS[marker]
  if (!kind || digest.length !== 32) return undefined
  if (kind !== 'batch') return rest.length <= 1 ? { kind, digest } : undefined
  const [size, log] = rest
  if (rest.length > 2 || size?.length !== 8 || numberOf(size) === 0n) return undefined
  // A state of the log of all commitments may follow: its size and its root.
  if (log && (log.length !== 40 || numberOf(log.subarray(0, 8)) === 0n)) return undefined
  return { kind, digest, size: numberOf(size) }
}

/** Reads a number, the lowest byte first. */
const numberOf = (bytes) => bytes.reduceRight((number, byte) => number * 256n + BigInt(byte), 0n)

/** Returns the first payload among a transaction's outputs. */
export function payloadOf(transaction) {
  for (const { script } of transaction.outputs) {
    const payload = payloadOfScript(script)
    if (payload) return payload
  }
  return undefined
}

/** Returns the digest that input `at` signs: all inputs, all outputs, with the value spent. */
function sighash(transaction, at, spent) {
  const { version, inputs, outputs, lockTime } = transaction
  const input = inputs[at]
  return sha256d(
    concat(
      version,
      sha256d(concat(...inputs.map((it) => it.outpoint))),
      sha256d(concat(...inputs.map((it) => it.sequence))),
      input.outpoint,
      Uint8Array.of(spent.script.length),
      spent.script,
      spent.bytes.slice(0, 8),
      input.sequence,
      sha256d(concat(...outputs.map((it) => it.bytes))),
      lockTime,
      Uint8Array.of(SIGHASH_ALL_FORKID, 0, 0, 0)
    )
  )
}

/**
 * Says whether input `at` may spend `spent`: true or false where that pays to a key's hash, nothing
 * for every other script, which would need an interpreter.
 */
function mayUnlock(transaction, at, spent) {
  const paysToHash = /^76a914([0-9a-f]{40})88ac$/.exec(toHex(spent.script))
  if (!paysToHash) return undefined
  try {
    const reader = new Reader(transaction.inputs[at].script)
    const signature = reader.take(reader.u8())
    const key = reader.take(reader.u8())
    reader.finish()
    if (toHex(hash160(key)) !== paysToHash[1]) return false
    if (signature.at(-1) !== SIGHASH_ALL_FORKID) return undefined
    return isSigned(signature.slice(0, -1), sighash(transaction, at, spent), key)
  } catch {
    return false
  }
}

/**
 * Checks a transaction that is in no block against the ones before it, by their names. Returns
 * whether everything about it could be checked.
 */
export function checkSpending(transaction, before) {
  let available = 0
  let isWhole = true
  transaction.inputs.forEach((input, at) => {
    const spent = before.get(input.txid)?.outputs[input.vout]
    demand(spent, 'an output is spent that is not there')
    available += spent.value
    const verdict = mayUnlock(transaction, at, spent)
    demand(verdict !== false, 'a transaction may not spend what it spends')
    isWhole &&= verdict === true
  })
  const made = transaction.outputs.reduce((sum, { value }) => sum + value, 0)
  demand(made <= available, 'a transaction makes more than it spends')
  return isWhole
}

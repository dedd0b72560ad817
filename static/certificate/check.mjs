// The check of a bundle, step by step, as docs/BUNDLE.md names them. Everything is in the bundle:
// nothing is asked of anybody.

import { checkWork, isSimulated } from './beef.mjs'
import {
  Flaw, addressOf, concat, demand, equal, fromHex, sha256, toHex, utf8
} from './bytes.mjs'
import { readBundle, readStatement } from './bundle.mjs'
import { checkInclusion } from './merkle.mjs'
import { hashes } from './secp256k1.js'
import { isSigned } from './signature.mjs'
import { checkSpending, payloadOf } from './transaction.mjs'

hashes.sha256 = sha256

const OK = 'ok'
const FAILED = 'failed'
const NOT_CHECKED = 'not-checked'
const SEAL_AMOUNT = 1

/** Takes one step; `act` throws a flaw, or returns false where it could not look at everything. */
function step(name, subject, act) {
  try {
    return { name, subject, outcome: act() === false ? NOT_CHECKED : OK }
  } catch (error) {
    if (!(error instanceof Flaw)) throw error
    return { name, subject, outcome: FAILED, reason: error.message }
  }
}

/**
 * Checks a bundle that was read as JSON; yields each step, returns what was found: `verdict` as
 * `patchproof verify` has it, and `told`, what the proof says of product and owner.
 */
export function* check(json) {
  let bundle
  const format = step('format', 'bundle', () => {
    bundle = readBundle(json)
  })
  yield format
  if (!bundle) return { verdict: FAILED, told: {} }
  const outcomes = []
  for (const taken of steps(bundle)) {
    outcomes.push(taken.outcome)
    yield taken
  }
  const newest = bundle.records.at(-1)
  const isProved = newest.status === 'mined' && newest.text !== undefined
  const verdict = outcomes.includes(FAILED) ? FAILED : isProved ? 'proved' : 'incomplete'
  return { verdict, told: verdict === FAILED ? {} : tell(bundle) }
}

function* steps(bundle) {
  const isEasy = isSimulated(bundle.network, bundle.headers)
  for (const header of bundle.headers) {
    yield step('header', `block ${header.height}`, () => checkWork(header, isEasy))
  }
  if (bundle.beef.transactions.length > 0) {
    yield step('transactions', 'bundle', () => checkTransactions(bundle))
  }
  const events = bundle.records.map((record) => readEvent(record))
  for (const [index, event] of events.entries()) {
    event.committed = findCommitted(bundle, event, index)
    yield* eventSteps(bundle, events, index)
  }
  for (const [index, { record }] of events.entries()) {
    yield step('block', `record ${index}`, () => record.status === 'mined')
  }
  yield step('issuer', 'bundle', () => false)
  for (const { height } of bundle.headers) yield step('heaviest-chain', `block ${height}`, () => false)
  yield step('freshness', 'bundle', () => false)
}

/** Merkle paths lead to the roots of the headers; what is in no block may spend what it spends. */
function checkTransactions({ beef, headers }) {
  const roots = new Map(headers.map(({ height, root }) => [height, root]))
  const before = new Map()
  const spent = new Set()
  let isWhole = true
  for (const transaction of beef.transactions) {
    const { path, inputs, txid } = transaction
    if (path) demand(equal(path.root, roots.get(path.height)), 'a path leads to another root')
    else isWhole = checkSpending(transaction, before) && isWhole
    for (const { outpoint } of isCoinbase(inputs) ? [] : inputs) {
      demand(!spent.has(toHex(outpoint)), 'an output is spent twice')
      spent.add(toHex(outpoint))
    }
    before.set(txid, transaction)
  }
  return isWhole
}

const isCoinbase = (inputs) =>
  inputs.length === 1 && inputs[0].vout === 0xffffffff && /^0+$/.test(inputs[0].txid)

/** Reads what an event says; `flaw` where it cannot be read. */
function readEvent(record) {
  if (record.text === undefined) return { record }
  try {
    return { record, statement: readStatement(record.text) }
  } catch (error) {
    if (!(error instanceof Flaw)) throw error
    return { record, flaw: error }
  }
}

/** Finds what the transaction of an event commits to; `flaw` where that is something else. */
function findCommitted({ carriers }, { record }, index) {
  if (record.txid === undefined) return {}
  try {
    const payload = payloadOf(carriers.get(record.txid))
    demand(payload, 'its transaction commits to nothing')
    const { inclusion, commitment } = record
    if (payload.kind === 'batch') {
      demand(inclusion && BigInt(inclusion.size) === payload.size, 'the tree on chain has another size')
      checkInclusion(commitment, inclusion, payload.digest)
      return { digest: commitment }
    }
    const isFitting = !inclusion && payload.kind === (index === 0 ? 'register' : 'transfer')
    demand(isFitting, 'its transaction holds another kind of commitment')
    return { digest: payload.digest }
  } catch (error) {
    if (!(error instanceof Flaw)) throw error
    return { flaw: error }
  }
}

function* eventSteps(bundle, events, index) {
  const subject = `record ${index}`
  const { record, statement, flaw, committed } = events[index]
  const fail = (error) => () => {
    throw error
  }
  if (flaw) return yield step('record', subject, fail(flaw))
  if (committed.flaw) return yield step('on-chain', subject, fail(committed.flaw))
  const before = events[index - 1]
  if (before && (before.flaw || before.committed.flaw)) return yield step('link', subject, () => false)
  const onChain = () => {
    if (!committed.digest) return false
    demand(equal(committed.digest, record.commitment), 'the transaction commits to something else')
  }
  if (!statement) {
    const isNamed = events[index + 1]?.statement !== undefined
    yield step('on-chain', subject, onChain)
    yield step('record', subject, () => false)
    return yield step('link', subject, () => isNamed)
  }
  const all = [
    ['commitment', () => checkCommitment(record)],
    ['on-chain', onChain],
    ['record', () => checkPlace(bundle, statement, index)],
    ['issuer-signature', () => checkIssuer(record, statement)]
  ]
  if (before) {
    all.push(['link', () => checkLink(statement, before.record)])
    all.push(['owner-signature', () => checkOwner(bundle, statement, before)])
    all.push(['seal', () => spendsSeal(bundle, record, before.record)])
  }
  for (const [name, act] of all) {
    const taken = step(name, subject, act)
    yield taken
    if (taken.outcome === FAILED) return
  }
}

function checkCommitment({ salt, text, commitment }) {
  demand(equal(sha256(concat(salt, utf8(text))), commitment), 'salt and record give another commitment')
}

function checkPlace({ uid, network }, { product, purpose, auth, ...statement }, index) {
  const isHere = product.uid_tag_id === uid && statement.network === network
  const isFirst = !auth.prev_txid && !auth.prev_commitment
  const isInPlace = index === 0 ? purpose === 'register_patch' && isFirst : purpose === 'transfer_ownership'
  demand(isHere && isInPlace, 'the record belongs elsewhere')
}

function checkIssuer({ signature, text, txid }, { auth }) {
  if (!signature) {
    demand(txid === undefined, 'the signature of the issuer is missing')
    return false
  }
  const holds = isSigned(signature, sha256(utf8(text)), fromHex(auth.issuer))
  demand(holds, 'the signature of the issuer does not match')
}

function checkLink({ auth }, before) {
  const isNamed = auth.prev_commitment === toHex(before.commitment) && auth.prev_txid === before.txid
  demand(isNamed && before.txid !== undefined, 'the record does not follow the one before it')
}

function checkOwner({ uid, network }, { auth }, before) {
  const { prev_owner_public_key: key, prev_owner_signature: signature } = auth
  demand(key && signature, 'the owner before has not signed')
  // Where the record before was erased, the key that this one names for its owner is taken.
  const owner = before.statement?.auth.owner ?? addressOf(fromHex(key), network)
  demand(addressOf(fromHex(key), network) === owner, 'another key than that of the owner before')
  const message = JSON.stringify({
    purpose: 'transfer_ownership',
    uid_tag_id: uid,
    currentTxid: auth.prev_txid,
    newOwnerAddress: auth.owner
  })
  const holds = isSigned(fromHex(signature), sha256(utf8(message)), fromHex(key))
  demand(holds, 'the signature of the owner before does not match')
}

function spendsSeal({ carriers }, record, before) {
  const outputs = carriers.get(before.txid)?.outputs ?? []
  const inputs = carriers.get(record.txid)?.inputs ?? []
  return inputs.some(({ txid, vout }) => txid === before.txid && outputs[vout]?.value === SEAL_AMOUNT)
}

/** What the proof says of the product, by the names that the page gives its places. */
function tell({ uid, records, headers, carriers }) {
  const statements = records.map(({ text }) => text && readStatement(text))
  const newest = statements.at(-1)
  const readable = statements.filter(Boolean).at(-1)
  const block = records.map(({ txid }) => carriers.get(txid)?.path).filter(Boolean).at(-1)
  return {
    uid,
    owner: newest?.auth.owner,
    ...(readable && { ...readable.product, uid_tag_id: undefined }),
    patch_location: readable?.metadata.patch_location,
    image: readable?.metadata.image,
    txid: records.map(({ txid }) => txid).filter(Boolean).at(-1),
    block_hash: block && headers.find(({ height }) => height === block.height)?.hash
  }
}

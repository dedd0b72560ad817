// The proof bundle: what is in it, and that every part is there for a record (docs/BUNDLE.md).

import { readBeef, readHeader } from './beef.mjs'
import { Reader, demand, display, fromHex } from './bytes.mjs'
import {
  canonical, demandShape, isCount, isHex, isList, isObject, isOneOf, isText, parseCanonical
} from './canonical.mjs'
import { readTransaction } from './transaction.mjs'

const isTag = (value) => isText(value) && value.normalize('NFC') === value && value.length >= 3
const isNetwork = isOneOf('main', 'test')
const isKey = (value) => isHex(33)(value) && /^0[23]/.test(value)
const MOST_LEAVES = 2 ** 32

const BUNDLE = {
  format: isOneOf('patchproof-bundle'), version: isOneOf(1), network: isNetwork, uid_tag_id: isTag,
  issuers: isList, records: isList, 'beef?': isHex(), 'transactions?': isList, headers: isList
}
const RECORD = {
  status: isOneOf('mined', 'unconfirmed', 'unsent'), commitment: isHex(32), 'txid?': isHex(32),
  'erased?': isOneOf(true), 'record?': isText, 'salt?': isHex(16), 'issuerSignature?': isHex(),
  'inclusion?': isObject
}
const INCLUSION = { leafIndex: isCount, treeSize: isCount, path: isList }
const HEADER = { height: isCount, hash: isHex(32), header: isHex(80) }
const STATEMENT = {
  type: isOneOf('AUTHENTICATION_RECORD'), version: isOneOf(1),
  purpose: isOneOf('register_patch', 'transfer_ownership'), network: isNetwork, product: isObject,
  metadata: isObject, auth: isObject
}
const PRODUCT = {
  uid_tag_id: isTag, 'name?': isText, 'category?': isText, 'sku?': isText, 'serial_number?': isText,
  'material?': isText
}
const METADATA = { 'notes?': isText, 'image?': isText, 'patch_location?': isText }
const AUTH = {
  owner: isText, issuer: isKey, issued_at: isText, 'prev_txid?': isHex(32), 'prev_commitment?': isHex(32),
  'prev_owner_public_key?': isKey, 'prev_owner_signature?': isHex()
}

/** Reads what a record says: canonical, of the known version, with the known members. */
export function readStatement(text) {
  const statement = parseCanonical(text)
  demandShape(statement, STATEMENT, 'the record')
  demandShape(statement.product, PRODUCT, 'the product')
  demandShape(statement.metadata, METADATA, 'the metadata')
  demandShape(statement.auth, AUTH, 'the custody')
  return statement
}

/** Reads a bundle, refusing whatever is missing, spare or spelled in another way. */
export function readBundle(json) {
  demandShape(json, BUNDLE, 'the bundle')
  demand(json.records.length > 0, 'a bundle has at least one record')
  demand(json.transactions === undefined || json.transactions.length > 0, 'an empty list is left out')
  const beef = json.beef === undefined ? { paths: [], transactions: [] } : readBeef(fromHex(json.beef))
  const loose = (json.transactions ?? []).map((hex) => {
    const reader = new Reader(fromHex(hex))
    const transaction = readTransaction(reader)
    reader.finish()
    return transaction
  })
  const carriers = new Map([...beef.transactions, ...loose].map((it) => [it.txid, it]))
  const headers = json.headers.map((it) => {
    demandShape(it, HEADER, 'a header')
    const header = readHeader(fromHex(it.header))
    demand(header.hash === it.hash, 'a header has another hash')
    return { ...header, height: it.height }
  })
  const records = json.records.map(readRecord)
  const bundle = { network: json.network, uid: json.uid_tag_id, beef, loose, carriers, headers, records }
  checkIssuers(json, records)
  checkStatuses(bundle)
  checkContents(bundle)
  return bundle
}

function readRecord(json) {
  demandShape(json, RECORD, 'a record')
  const isTold = json.record !== undefined && json.salt !== undefined
  const isErased = ['record', 'salt', 'issuerSignature'].every((name) => json[name] === undefined)
  demand(json.erased === true ? isErased : isTold, 'a record has content, or was erased and has none')
  if (json.inclusion) {
    demandShape(json.inclusion, INCLUSION, 'a way to a root')
    demand(json.txid && json.inclusion.treeSize <= MOST_LEAVES, 'a way to a root needs its transaction')
  }
  return {
    status: json.status,
    txid: json.txid,
    commitment: fromHex(json.commitment, 32),
    text: json.record,
    salt: json.salt && fromHex(json.salt),
    signature: json.issuerSignature && fromHex(json.issuerSignature),
    inclusion: json.inclusion && {
      index: json.inclusion.leafIndex,
      size: json.inclusion.treeSize,
      path: json.inclusion.path.map((hash) => fromHex(hash, 32))
    }
  }
}

function checkIssuers(json, records) {
  const named = new Set()
  for (const { text } of records.filter((it) => it.text !== undefined)) {
    try {
      named.add(readStatement(text).auth.issuer)
    } catch {
      // Said of the record itself, later.
    }
  }
  demand(canonical(json.issuers) === canonical([...named]), 'the issuers are not those of the records')
}

function checkStatuses({ records, carriers }) {
  for (const { status, txid } of records) {
    demand(txid === undefined || carriers.has(txid), 'the transaction of a record is missing')
    const shown = txid === undefined ? 'unsent' : carriers.get(txid).path ? 'mined' : 'unconfirmed'
    demand(status === shown, 'a status is not what the transactions show')
  }
}

/** Nothing is missing and nothing is spare. */
function checkContents({ records, beef, loose, headers }) {
  const carriers = new Set(records.map(({ txid }) => txid))
  const met = new Set(beef.transactions.map(({ txid }) => txid))
  for (const { txid } of loose) {
    demand(carriers.has(txid) && !met.has(txid), 'a transaction is spare')
    met.add(txid)
  }
  const needed = new Set(carriers)
  for (const { txid, path, inputs } of [...beef.transactions].reverse()) {
    demand(needed.has(txid), 'a transaction is spare')
    if (!path) inputs.forEach((input) => needed.add(input.txid))
  }
  for (const path of beef.paths) {
    const marked = path.marked.map(display).sort()
    const referring = beef.transactions.filter((it) => it.path === path).map(({ txid }) => txid).sort()
    demand(marked.join() === referring.join(), 'a path marks other transactions than it proves')
  }
  const heights = headers.map(({ height }) => height)
  demand(heights.every((height, at) => at === 0 || heights[at - 1] < height), 'headers are not in order')
  const named = beef.paths.map(({ height }) => height).sort((a, b) => a - b)
  demand(named.join() === heights.join(), 'the headers are not those that the paths name')
}

// The running demo as a plain HTTP client sees it: where it is, what it answers, when it is done.
//
// Nothing here knows anything that is not in demo.json, in the data directory or in an answer.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'

const directory = process.env.PATCHPROOF_DEMO_DIR
if (!directory) {
  throw new Error('PATCHPROOF_DEMO_DIR must name the data directory of a running demo; use ./run')
}

const read = (file) => JSON.parse(readFileSync(join(directory, file), 'utf8'))

/** What demo.json says. */
export const demo = read('demo.json')

/** The secrets of the demo's data directory. */
export const secrets = read('demo-secrets.json')

const DEADLINE_MS = 60_000
const POLL_MS = 25

/** Asks `probe` until it answers something, and returns that. */
export async function until(what, probe) {
  const deadline = Date.now() + DEADLINE_MS
  for (;;) {
    const found = await probe()
    if (found) return found
    if (Date.now() > deadline) throw new Error(`waited in vain until ${what}`)
    await new Promise((resolve) => setTimeout(resolve, POLL_MS))
  }
}

/**
 * Calls the API. A `json` body is written by JSON.stringify, a `body` is sent as it is; the key
 * and the token go along only where they are asked for.
 */
export async function call(method, path, options = {}) {
  const headers = { ...options.headers }
  if (options.apiKey) headers['x-api-key'] = demo.apiKey
  if (options.bearer) headers.authorization = `Bearer ${demo.bearerToken}`
  let body = options.body
  if (options.json !== undefined) {
    headers['content-type'] = 'application/json'
    body = JSON.stringify(options.json)
  }
  const answer = await fetch(new URL(path, demo.baseUrl), { method, headers, body })
  const text = await answer.text()
  const isJson = (answer.headers.get('content-type') ?? '').includes('json')
  return {
    status: answer.status,
    headers: answer.headers,
    text,
    json: isJson ? JSON.parse(text) : undefined
  }
}

async function get(path, options) {
  const answer = await call('GET', path, options)
  if (answer.status !== 200) throw new Error(`GET ${path}: ${answer.status} ${answer.text}`)
  return answer
}

const tagPath = (uid) => encodeURIComponent(uid)

/** Returns what verification says of a product. */
export const verify = async (uid) => (await get(`v1/patches/verify/${tagPath(uid)}`)).json

/** Returns the same, as the text that was sent. */
export const verifyText = async (uid) => (await get(`v1/patches/verify/${tagPath(uid)}`)).text

/** Returns a product's events, oldest first. */
export const history = async (uid) => (await get(`v1/patches/${tagPath(uid)}/history`)).json.events

/** Returns a product's BEEF in hexadecimal. */
export const beef = async (uid) =>
  (await get(`v1/patches/${tagPath(uid)}/proof?format=beef`)).text

/** Lists every product, page by page. */
export async function products() {
  const found = []
  let cursor
  do {
    const query = new URLSearchParams({ limit: '20', ...(cursor ? { cursor } : {}) })
    const page = (await get(`v1/admin/patches?${query}`, { apiKey: true })).json
    found.push(...page.items)
    cursor = page.nextCursor
  } while (cursor)
  return found
}

/** Waits until an event that was taken for anchoring is confirmed, and returns its transaction. */
export async function confirmed(kind, answer) {
  const { pendingId } = answer.json
  const path = `v1/patches/pending/${kind}/${pendingId}`
  const done = await until(`${path} is confirmed`, async () => {
    const { json } = await get(path)
    if (json.status === 'failed') throw new Error(`${path} failed: ${json.error}`)
    return json.status === 'confirmed' && json
  })
  return done.txid
}

let counter = 0

/** Returns a tag that no product has. */
export const freshTag = (name) => `INTEROP-${name}-${process.pid}-${++counter}`

/** Registers a product for `owner` and waits until the network has it. */
export async function register(uid, owner, more = {}) {
  const json = {
    product: { uid_tag_id: uid, ...more.product },
    ...(more.metadata ? { metadata: more.metadata } : {}),
    auth: { owner: owner.address }
  }
  const answer = await call('POST', 'v1/patches', { apiKey: true, json })
  if (answer.status === 201) return answer.json.txid
  if (answer.status === 202) return confirmed('registration', answer)
  throw new Error(`${uid} was not registered: ${answer.status} ${answer.text}`)
}

/** Sends a transfer. */
export const postTransfer = (txid, json) =>
  call('POST', `v1/patches/${txid}/transfer-ownership`, { apiKey: true, bearer: true, json })

/** Returns the transaction of an accepted transfer once the network has it. */
export async function transferred(answer) {
  if (answer.status === 200) return answer.json.newTxid
  if (answer.status === 202) return confirmed('transfer', answer)
  throw new Error(`the transfer was not accepted: ${answer.status} ${answer.text}`)
}

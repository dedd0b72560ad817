// The production-like suite: what clients of the predecessor rely on, against a server that is really served, with no
// part of it replaced.

import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'

import { Owner } from '../../static/sdk/patchproof.mjs'
import { Owner as Peer, transferMessage } from '../interop/owner.mjs'
import { call, live, until } from './live.mjs'
import { families } from './exposition.mjs'

let server
before(async () => { server = await live() })
after(async () => { await server?.stop() })

const ask = (method, path, options) => call(server, method, path, options)
const freshTag = (name) => `E2E-${name}-${randomBytes(6).toString('hex')}`
const addressOf = (owner) => (server.network === 'main' ? owner.mainAddress : owner.address)

/** Registers a product of a peer's and waits until the network has it; returns the transaction. */
async function registered(uid, owner) {
  const json = { product: { uid_tag_id: uid, name: 'E2E' }, auth: { owner: addressOf(owner) } }
  const answer = await ask('POST', 'v1/patches', { apiKey: true, json })
  assert.ok([201, 202].includes(answer.status), answer.text)
  return answer.json.txid ?? confirmed('registration', answer.json.pendingId)
}

const confirmed = (kind, id) => until(`${kind} ${id} is confirmed`, async () => {
  const { json } = await ask('GET', `v1/patches/pending/${kind}/${id}`)
  assert.notEqual(json.status, 'failed', json.error)
  return json.status === 'confirmed' && json.txid
})

/** Registers a login key and logs in; returns the user, his key, the challenge and the token. */
async function loggedIn() {
  const [userId, owner] = [randomBytes(12).toString('hex'), Owner.random()]
  const made = await ask('POST', 'api/svd/register', { apiKey: true, json: { userId, pmcHex: owner.publicKey } })
  assert.equal(made.status, 201, made.text)
  const begun = await ask('POST', 'api/svd/begin', { json: { userId } })
  assert.equal(begun.status, 200, begun.text)
  const answer = { userId, M: begun.json.M, signatureHex: owner.signChallenge(begun.json.M) }
  const done = await ask('POST', 'api/svd/complete', { json: answer })
  assert.equal(done.status, 200, done.text)
  return { userId, owner, begun, answer, done, token: done.json.token }
}

/** Asserts that an answer is a problem document of this status and code. */
function problem(answer, status, code) {
  assert.deepEqual([answer.status, answer.json?.code], [status, code], answer.text)
  assert.match(answer.headers.get('content-type'), /^application\/problem\+json/)
  assert.equal(answer.json.status, status)
  assert.equal(answer.json.requestId, answer.headers.get('x-request-id'))
  assert.match(answer.json.type, /^\/docs\/errors\//)
}

describe('health', () => {
  test('is told to anybody', async () => {
    assert.deepEqual((await ask('GET', 'health')).json, { status: 'ok' })
    assert.equal((await ask('GET', '__ping')).text, 'pong')
    const ready = await ask('GET', 'ready')
    assert.equal(ready.status === 503, ['unavailable', 'storage_full'].includes(ready.json.status), ready.text)
    for (const name of ['store', 'signer', 'network']) {
      const found = ready.json.dependencies.find((dependency) => dependency.name.startsWith(name))
      assert.ok(found?.ok, `${name}: ${ready.text}`)
    }
  })

  test('of the login is tried by the canary, for holders of a key', async () => {
    problem(await ask('GET', 'api/svd/canary'), 401, 'UNAUTHENTICATED')
    const canary = await ask('GET', 'api/svd/canary', { apiKey: true })
    assert.equal(canary.status, 200, canary.text)
    assert.equal(canary.json.ok, true)
    assert.equal(canary.json.kid, (await ask('GET', 'api/svd/kid')).json.kid)
  })
})

describe('the login', () => {
  test('gives a token for an answered challenge, once', async () => {
    const { userId, begun, answer, done, token } = await loggedIn()
    for (const head of [begun.headers, done.headers]) assert.equal(head.get('cache-control'), 'no-store')
    const [header, claims] = token.split('.').slice(0, 2).map((part) => JSON.parse(Buffer.from(part, 'base64url')))
    assert.equal(header.alg, 'HS256')
    assert.deepEqual([claims.sub, claims.jti, claims.exp - claims.iat], [userId, claims.cnf.msha256, 600])
    problem(await ask('POST', 'api/svd/complete', { json: answer }), 409, 'SVD_REPLAYED')
  })

  test('takes no other key, no other challenge and no second key', async () => {
    const { userId } = await loggedIn()
    const { json: { M } } = await ask('POST', 'api/svd/begin', { json: { userId } })
    const signed = { userId, M, signatureHex: Owner.random().signChallenge(M) }
    problem(await ask('POST', 'api/svd/complete', { json: signed }), 401, 'SVD_INVALID_SIGNATURE')
    const made = { ...signed, M: '00'.repeat(24) }
    problem(await ask('POST', 'api/svd/complete', { json: made }), 400, 'SVD_BAD_CHALLENGE')
    const again = { userId, pmcHex: Owner.random().publicKey }
    problem(await ask('POST', 'api/svd/register', { apiKey: true, json: again }), 409, 'DUPLICATE_PMC')
  })

  test('of an unknown user begins like any other', async () => {
    const known = await ask('POST', 'api/svd/begin', { json: { userId: (await loggedIn()).userId } })
    const unknown = await ask('POST', 'api/svd/begin', { json: { userId: randomBytes(12).toString('hex') } })
    assert.equal(unknown.status, 200)
    assert.deepEqual(Object.keys(unknown.json), Object.keys(known.json))
  })
})

describe('a product', () => {
  test('is registered, verified, sold and proved', async () => {
    const [uid, seller, buyer] = [freshTag('SALE'), Peer.random(), Peer.random()]
    const txid = await registered(uid, seller)
    const fresh = await ask('GET', `v1/patches/verify/${uid}`)
    assert.equal(fresh.json.status, 'authentic', fresh.text)
    assert.equal(fresh.json.verificationDetails.currentTxid, txid)

    const { token } = await loggedIn()
    const message = transferMessage(uid, txid, addressOf(buyer))
    const json = {
      newOwnerAddress: addressOf(buyer),
      currentOwnerPubKey: seller.publicKey,
      currentOwnerSignature: seller.signWithSdk(message)
    }
    const path = `v1/patches/${txid}/transfer-ownership`
    problem(await ask('POST', path, { apiKey: true, json }), 401, 'UNAUTHENTICATED')
    problem(await ask('POST', path, { token, json }), 401, 'UNAUTHENTICATED')
    const stolen = { ...json, currentOwnerPubKey: buyer.publicKey, currentOwnerSignature: buyer.signWithSdk(message) }
    assert.equal((await ask('POST', path, { apiKey: true, token, json: stolen })).status, 403)
    const sold = await ask('POST', path, { apiKey: true, token, json })
    assert.ok([200, 202].includes(sold.status), sold.text)
    const newTxid = sold.json.newTxid ?? await confirmed('transfer', sold.json.pendingId)
    assert.equal((await ask('POST', path, { apiKey: true, token, json })).status, 409)

    const { json: history } = await ask('GET', `v1/patches/${uid}/history`)
    assert.deepEqual(history.events.map((event) => [event.type, event.txid]), [['register', txid], ['transfer', newTxid]])
    const { json: verdict } = await ask('GET', `v1/patches/verify/${uid}`)
    assert.deepEqual([verdict.status, verdict.record.auth.owner], ['authentic', addressOf(buyer)])
    await proves(uid, history.events)
  })

  test('of a tag that is taken, or nobody\'s, is refused', async () => {
    const [uid, owner] = [freshTag('TAKEN'), Peer.random()]
    await registered(uid, owner)
    const json = { product: { uid_tag_id: uid }, auth: { owner: addressOf(owner) } }
    problem(await ask('POST', 'v1/patches', { apiKey: true, json }), 409, 'UID_TAKEN')
    problem(await ask('POST', 'v1/patches', { json }), 401, 'UNAUTHENTICATED')
    const unknown = await ask('GET', `v1/patches/verify/${freshTag('NOBODY')}`)
    assert.deepEqual([unknown.status, unknown.json], [404, { status: 'not_found' }])
  })

  test('is registered once, however often the same request comes', async () => {
    const json = { product: { uid_tag_id: freshTag('ONCE') }, auth: { owner: addressOf(Peer.random()) } }
    const headers = { 'idempotency-key': randomBytes(8).toString('hex') }
    const first = await ask('POST', 'v1/patches', { apiKey: true, json, headers })
    const second = await ask('POST', 'v1/patches', { apiKey: true, json, headers })
    assert.deepEqual([second.status, second.text], [first.status, first.text])
  })
})

/** Checks a product's bundle with the program, where there is one; a live network may take a while for its blocks. */
async function proves(uid, events) {
  const bundle = async () => (await ask('GET', `v1/patches/${uid}/proof`)).json
  const isMined = (found) => found.records.every((record) => record.status === 'mined') && found
  const found = server.isForeign ? await bundle() : await until('both are in blocks', async () => isMined(await bundle()))
  assert.deepEqual(found.records.map((record) => record.txid), events.map((event) => event.txid))
  assert.deepEqual(found.records.map((record) => record.commitment), events.map((event) => event.commitment))
  if (!process.env.PATCHPROOF_BIN) return
  const folder = mkdtempSync(join(tmpdir(), 'patchproof-e2e-bundle-'))
  try {
    const file = join(folder, 'bundle.json')
    const verdict = () => {
      try {
        const said = execFileSync(process.env.PATCHPROOF_BIN, ['verify', file, '--json'], { encoding: 'utf8' })
        return JSON.parse(said).verdict
      } catch (error) {
        return JSON.parse(error.stdout).verdict
      }
    }
    writeFileSync(file, JSON.stringify(found))
    assert.equal(verdict(), isMined(found) ? 'proved' : 'incomplete')
    found.records[0].salt = randomBytes(16).toString('hex')
    writeFileSync(file, JSON.stringify(found))
    assert.equal(verdict(), 'failed')
  } finally {
    rmSync(folder, { recursive: true })
  }
}

describe('refusals', () => {
  test('are problem documents that say which field is wrong', async () => {
    const answer = await ask('POST', 'v1/patches', { apiKey: true, json: { product: {}, extra: 1 } })
    problem(answer, 400, 'VALIDATION_FAILED')
    assert.ok(answer.json.errors.every(({ field, message }) => field && message), answer.text)
    problem(await ask('GET', 'v1/nothing'), 404, 'NOT_FOUND')
    problem(await ask('DELETE', 'health'), 405, 'METHOD_NOT_ALLOWED')
    problem(await ask('GET', 'v1/admin/patches', { apiKey: 'wrong' }), 401, 'INVALID_API_KEY')
    const page = await fetch(new URL(answer.json.type, server.baseUrl))
    assert.deepEqual([page.status, page.headers.get('content-type')], [200, 'text/html; charset=utf-8'])
  })

  test('and answers say what is left of the limit', async () => {
    for (const answer of [await ask('GET', `v1/patches/verify/${freshTag('LIMIT')}`), await ask('GET', 'v1/admin/keys')]) {
      assert.match(answer.headers.get('ratelimit-policy'), /^"public";q=\d+;w=\d+$/)
      assert.match(answer.headers.get('ratelimit'), /^"public";r=\d+/)
    }
    const keyed = await ask('GET', 'v1/admin/utxo-health', { apiKey: true })
    assert.equal(keyed.status, 200, keyed.text)
    assert.match(keyed.headers.get('ratelimit'), /^"api-key";r=\d+$/)
  })
})

describe('metrics', () => {
  test('are an exposition that Prometheus reads, with the names of the contract', async () => {
    await loggedIn()
    const open = await ask('GET', 'metrics')
    assert.ok([200, 401, 404].includes(open.status), open.text)
    problem(await ask('GET', 'internal/metrics'), 401, 'UNAUTHENTICATED')
    // The pool is measured every few seconds.
    const found = await until('the pool is measured', async () => {
      const answer = await ask('GET', 'internal/metrics', { apiKey: true })
      assert.equal(answer.status, 200, answer.text)
      const read = families(answer.text)
      return read.get('utxo_count')?.samples.length > 0 && read
    })
    for (const name of ['pp_challenges_issued', 'pp_jwt_success', 'records_pending']) {
      assert.equal(found.get(name)?.samples.length, 1, name)
    }
    assert.ok(found.get('pp_jwt_success').samples[0].value >= 1)
    for (const [name, labels] of [['svd_begin_total', ['kid', 'sha']], ['svd_complete_total', ['kid', 'sha']],
      ['utxo_count', ['keyIdentifier', 'status']], ['broadcast_total', ['result']], ['anchor_records_total', ['mode']]]) {
      const family = found.get(name)
      assert.ok(family?.samples.length > 0, name)
      for (const sample of family.samples) assert.deepEqual(Object.keys(sample.labels).sort(), labels.sort(), name)
    }
    assert.equal(found.get('svd_challenge_age_seconds').type, 'histogram')
  })
})

describe('a server of this suite', () => {
  test('asks for a key where the metrics are', async (t) => {
    if (server.isForeign) return t.diagnostic('a live server decides that itself')
    problem(await ask('GET', 'metrics'), 401, 'UNAUTHENTICATED')
    assert.equal((await ask('GET', 'metrics', { apiKey: true })).status, 200)
  })

  test('is in production: nobody registers a login key without a key of ours', async (t) => {
    if (server.isForeign) return t.diagnostic('a live server decides that itself')
    const json = { userId: randomBytes(12).toString('hex'), pmcHex: Owner.random().publicKey }
    problem(await ask('POST', 'api/svd/register', { json }), 401, 'UNAUTHENTICATED')
  })

  test('and has written none of its secrets into its log', (t) => {
    if (server.isForeign) return t.diagnostic('a live server keeps its log to itself')
    const { API_KEY, JWT_SECRET, MASTER_SECRET, KMS_API_KEY } = server.environment
    const log = server.log()
    assert.ok(log.length > 0)
    for (const secret of [API_KEY, JWT_SECRET, MASTER_SECRET, KMS_API_KEY]) assert.ok(!log.includes(secret))
  })
})

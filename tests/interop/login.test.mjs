// The SDK for owners, whose cryptography is @noble's, logs in and acts; strangers try to.

import assert from 'node:assert/strict'
import crypto from 'node:crypto'
import { readFileSync } from 'node:fs'
import { describe, test } from 'node:test'

import {
  Owner,
  PatchProof,
  PatchProofError,
  addressOf,
  svdProof,
  transferMessage,
  unlockMessage
} from '../../static/sdk/patchproof.mjs'
import { call, demo, freshTag, register, secrets, until, verify } from './demo.mjs'
import {
  Owner as Peer,
  highSTwin,
  transferMessage as peerTransferMessage,
  unlockMessage as peerUnlockMessage
} from './owner.mjs'

const server = new PatchProof(demo.baseUrl, { apiKey: demo.apiKey })
const freshUser = () => crypto.randomBytes(12).toString('hex')
const claimsOf = (token) => JSON.parse(Buffer.from(token.split('.')[1], 'base64url').toString())

/** Asserts that a promise is refused with a status and code. */
const refused = (promise, status, code) =>
  assert.rejects(promise, (error) => {
    assert.ok(error instanceof PatchProofError, error)
    assert.deepEqual([error.status, error.code], [status, code], error.message)
    return true
  })

async function registered() {
  const user = { id: freshUser(), owner: Owner.random() }
  const answer = await server.registerKey(user.id, user.owner)
  assert.equal(answer.success, true)
  return user
}

/** Returns the server's login key, as the signer lists it. */
async function serverKey() {
  const url = new URL(demo.signerUrl.replace(/\/sign\/?$/, '/keys'))
  const headers = { authorization: `Bearer ${secrets.signer_key}` }
  const keys = await (await fetch(url, { headers })).json()
  return keys.find((key) => key.keyIdentifier === 'svd').publicKey
}

describe('the SDK agrees with other implementations', () => {
  test('about the vectors of the login', () => {
    const text = readFileSync(new URL('../vectors/svd-owner.json', import.meta.url), 'utf8')
    const { svd } = JSON.parse(text)
    assert.ok(svd.length > 0)
    for (const vector of svd) {
      const owner = new Owner(vector.pmcPrivHex)
      assert.equal(owner.publicKey, vector.pmcHex)
      assert.equal(owner.signChallenge(vector.M), vector.signatureHex)
      const shared = owner.sharedSecret(vector.M, vector.pmsPubHex)
      assert.equal(shared, vector.sharedSecretHex)
      assert.equal(svdProof(vector.userId, vector.M, shared), vector.svdProof)
    }
  })

  test('about addresses and messages', () => {
    for (let round = 0; round < 20; round++) {
      const secret = crypto.randomBytes(32).toString('hex')
      const [mine, peer] = [new Owner(secret), new Peer(secret)]
      assert.equal(mine.publicKey, peer.publicKey)
      assert.equal(mine.address('test'), peer.address)
      assert.equal(addressOf(mine.publicKey, 'main'), peer.mainAddress)
    }
    const txid = 'ab'.repeat(32)
    assert.equal(transferMessage('a "b"', txid, 'mX'), peerTransferMessage('a "b"', txid, 'mX'))
    assert.equal(unlockMessage('uid', txid, 'n'), peerUnlockMessage('uid', txid, 'n'))
  })
})

describe('an owner logs in', () => {
  test('and the token names user, challenge and the server\'s key', async () => {
    const { id, owner } = await registered()
    const { M } = await server.beginLogin(id)
    const { token } = await server.completeLogin(id, owner, M)
    const claims = claimsOf(token)
    const jti = crypto.createHash('sha256').update(Buffer.from(M, 'hex')).digest('hex')
    assert.deepEqual([claims.sub, claims.jti, claims.cnf.msha256], [id, jti, jti])
    assert.equal(claims.exp - claims.iat, 600)
    const shared = owner.sharedSecret(M, await serverKey())
    assert.equal(claims.cnf.svd_proof, svdProof(id, M, shared))
    await refused(server.completeLogin(id, owner, M), 409, 'SVD_REPLAYED')
  })

  test('and hands a product on with the token', async () => {
    const { id, owner } = await registered()
    const uid = freshTag('LOGIN')
    const txid = await register(uid, { address: owner.address('test') })
    const heir = Owner.random()
    const token = await server.login(id, owner)
    await server.transfer(uid, txid, owner, heir.address('test'), token)
    const state = await until('the new owner is on file', async () => {
      const found = await verify(uid)
      return found.verificationDetails.owner === heir.address('test') && found
    })
    assert.equal(state.status, 'authentic', state.verificationDetails.reason)
    const content = await server.unlock(uid, state.verificationDetails.currentTxid, heir)
    assert.equal(content.authorized, true)
    await server.logout(token)
    const late = server.transfer(uid, txid, owner, owner.address('test'), token)
    await refused(late, 401, 'TOKEN_INVALID')
  })

  test('with another key after changing it, and with none after revoking it', async () => {
    const { id, owner } = await registered()
    const next = Owner.random()
    await server.changeKey(id, owner, next)
    await assert.rejects(server.login(id, owner), /another key/)
    const token = await server.login(id, next)
    await server.revokeKey(id, next)
    await assert.rejects(server.login(id, next), /another key/)
    await refused(server.logout(token), 401, 'TOKEN_INVALID')
  })
})

describe('a stranger', () => {
  test('does not get in with another key, another form, or another\'s challenge', async () => {
    const { id, owner } = await registered()
    const { M } = await server.beginLogin(id)
    await refused(server.completeLogin(id, Owner.random(), M), 401, 'SVD_INVALID_SIGNATURE')
    const signatureHex = highSTwin(owner.signChallenge(M))
    const twin = await call('POST', 'api/svd/complete', { json: { userId: id, M, signatureHex } })
    assert.deepEqual([twin.status, twin.json.code], [401, 'SVD_INVALID_SIGNATURE'])
    await refused(server.completeLogin(freshUser(), owner, M), 400, 'SVD_BAD_CHALLENGE')
    const other = await server.beginLogin(freshUser())
    await refused(server.completeLogin(id, owner, other.M), 400, 'SVD_BAD_CHALLENGE')
    // None of that used the challenge up.
    const { token } = await server.completeLogin(id, owner, M)
    assert.equal(claimsOf(token).sub, id)
  })

  test('takes nobody\'s name', async () => {
    const { id } = await registered()
    await refused(server.registerKey(id, Owner.random()), 409, 'DUPLICATE_PMC')
  })

  test('cannot tell who is registered', async () => {
    const { id } = await registered()
    const stranger = freshUser()
    const [known, unknown] = [await server.beginLogin(id), await server.beginLogin(stranger)]
    assert.deepEqual(Object.keys(known), Object.keys(unknown))
    assert.match(unknown.pmcHex, /^0[23][0-9a-f]{64}$/)
    const answers = []
    for (const [user, begun] of [[id, known], [stranger, unknown]]) {
      const body = { userId: user, M: begun.M, signatureHex: Owner.random().signChallenge(begun.M) }
      answers.push((await call('POST', 'api/svd/complete', { json: body })).status)
    }
    assert.deepEqual(answers, [401, 401])
  })
})

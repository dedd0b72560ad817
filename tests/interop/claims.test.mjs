// A customer claims at the counter with the SDK; the shop signs with other people's cryptography.

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import { Owner, PatchProof, PatchProofError, claimMessage } from '../../static/sdk/patchproof.mjs'
import { call, demo, freshTag, history, register, until, verify } from './demo.mjs'
import { Owner as Peer, transferMessage } from './owner.mjs'

const customerSide = new PatchProof(demo.baseUrl)

/** Opens a shop with a product and a till. */
async function shop(keyHolder, address) {
  const uid = freshTag('CLAIM')
  const txid = await register(uid, { address })
  const made = await call('POST', 'v1/admin/keys', {
    json: { name: 'till', scopes: ['pos'], shop: address },
    apiKey: true
  })
  assert.equal(made.status, 201, made.text)
  return { uid, txid, keyHolder, till: new PatchProof(demo.baseUrl, { apiKey: made.json.key }) }
}

/** Waits until a claim's transfer is the product's present state. */
const handedOver = (uid, owner) =>
  until('the product is the customer\'s', async () => {
    const found = await verify(uid)
    return found.verificationDetails.owner === owner && found
  })

const refused = (promise, status, code) =>
  assert.rejects(promise, (error) => {
    assert.ok(error instanceof PatchProofError, error)
    assert.deepEqual([error.status, error.code], [status, code], error.message)
    return true
  })

describe('a point of sale', () => {
  test('hands a product to the customer who claims it', async () => {
    const keyHolder = Owner.random()
    const { uid, txid, till } = await shop(keyHolder, keyHolder.address(demo.network))
    const customer = Owner.random()
    const filed = await customerSide.claim(uid, customer, demo.network)
    assert.equal(filed.status, 'pending')
    await till.approveClaim(filed.claimId, uid, keyHolder)
    const address = customer.address(demo.network)
    const state = await handedOver(uid, address)
    assert.equal(state.status, 'authentic', state.verificationDetails.reason)
    const seen = await customerSide.claimStatus(filed.claimId)
    assert.equal(seen.status, 'approved')
    assert.equal((await history(uid)).length, 2)
    // The SDK sees that the product is sold; whoever does not look is told.
    await assert.rejects(till.approveClaim(filed.claimId, uid, keyHolder), /not this shop/)
    const json = {
      claimId: filed.claimId,
      currentOwnerPubKey: keyHolder.publicKey,
      currentOwnerSignature: keyHolder.sign(transferMessage(uid, txid, address))
    }
    await refused(till.request('POST', '/v1/pos/claim-approve', { json }), 409, 'CLAIM_CLOSED')
  })

  test('takes claims and approvals that other implementations sign', async () => {
    for (const sign of ['signWithSdk', 'signWithBsv']) {
      const [seller, buyer] = [Peer.random(), Peer.random()]
      const { uid, txid, till } = await shop(seller, seller.address)
      const given = await customerSide.request('GET', `/v1/pos/claim-challenge/${uid}`)
      const message = claimMessage(uid, buyer.address, given.ts, given.nonce)
      const filed = await customerSide.request('POST', '/v1/pos/claim-intent', {
        json: {
          uid_tag_id: uid,
          newOwnerAddress: buyer.address,
          newOwnerPubKey: buyer.publicKey,
          newOwnerSignature: buyer[sign](message),
          ts: given.ts,
          nonce: given.nonce
        }
      })
      const shown = await till.claimStatus(filed.claimId)
      assert.equal(shown.message, transferMessage(uid, txid, buyer.address))
      await till.request('POST', '/v1/pos/claim-approve', {
        json: {
          claimId: filed.claimId,
          currentOwnerPubKey: seller.publicKey,
          currentOwnerSignature: seller[sign](shown.message)
        }
      })
      await handedOver(uid, buyer.address)
    }
  })

  test('signs nothing over that does not lie on the counter', async () => {
    const keyHolder = Owner.random()
    const { uid, till } = await shop(keyHolder, keyHolder.address(demo.network))
    const dear = await shop(keyHolder, keyHolder.address(demo.network))
    const filed = await customerSide.claim(dear.uid, Owner.random(), demo.network)
    await assert.rejects(till.approveClaim(filed.claimId, uid, keyHolder), /another product/)
    const stranger = Owner.random()
    const other = await shop(stranger, stranger.address(demo.network))
    await assert.rejects(other.till.approveClaim(filed.claimId, dear.uid, stranger), /not this shop/)
  })
})

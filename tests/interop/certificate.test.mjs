// The check in the visitor's browser against `patchproof verify`, step by step, and against proofs
// in which one byte was changed.

import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { before, describe, test } from 'node:test'

import { certificate, modulesOf, proofIn, taken } from './certificate.mjs'
import { freshTag, postTransfer, products, register, transferred, until, verify } from './demo.mjs'
import { mine } from './network.mjs'
import { Owner, transferMessage } from './owner.mjs'

/** What `patchproof verify` says of a bundle. */
function verified(bundle) {
  const { stdout } = spawnSync(process.env.PATCHPROOF_BIN, ['verify', '--json', '-'], { input: bundle })
  return JSON.parse(stdout)
}

const essence = ({ name, subject, outcome }) => `${name} (${subject}): ${outcome}`

describe('the check of a certificate in the browser', () => {
  const owners = [1, 2, 3, 4].map(() => Owner.random())
  const uid = freshTag('CERT <b>"&\\u003c')
  let modules
  let page
  /** The proof of the whole custody, in blocks. */
  let text

  const pageOf = async (tag) => (await certificate(tag)).text()
  const checked = (text) => taken(modules.check(modules.parseEmbedded(text)))
  /** A changed text is refused where it is read, or by a step. */
  function isRefused(text) {
    try {
      return checked(text).verdict === 'failed'
    } catch {
      return true
    }
  }

  async function agrees(tag) {
    const text = proofIn(await pageOf(tag))
    const ours = checked(text)
    const bundle = text.replaceAll('\\u003c', '<') === text ? text : JSON.stringify(JSON.parse(text))
    const theirs = verified(bundle)
    assert.deepEqual(ours.steps.map(essence), theirs.steps.map(essence), tag)
    assert.equal(ours.verdict, theirs.verdict)
    return ours
  }

  before(async () => {
    let txid = await register(uid, owners[0], { product: { name: '</script><script>alert(1)</script>' } })
    for (const [index, next] of owners.slice(1).entries()) {
      const owner = owners[index]
      txid = await transferred(await postTransfer(txid, {
        newOwnerAddress: next.address,
        currentOwnerPubKey: owner.publicKey,
        currentOwnerSignature: owner.signWithSdk(transferMessage(uid, txid, next.address))
      }))
    }
    page = await pageOf(uid)
    modules = await modulesOf(page)
  })

  test('takes the same steps to the same ends before a block holds it, and after', async () => {
    assert.equal((await agrees(uid)).verdict, 'incomplete')
    const unconfirmed = proofIn(await pageOf(uid))
    assert.ok(isRefused(unconfirmed.replace('register_patch', 'register_match')))
    await mine()
    await until('the newest event is in a block', async () => {
      const { verificationDetails: details } = await verify(uid)
      return details.owner === owners[3].address && details.block?.merklePath
    })
    const { verdict, told } = await agrees(uid)
    assert.equal(verdict, 'proved')
    assert.equal(told.owner, owners[3].address)
    assert.equal(told.name, '</script><script>alert(1)</script>')
    text = proofIn(await pageOf(uid))
  })

  test('agrees about every product of the demo', async () => {
    const all = await products()
    assert.ok(all.length > 20)
    for (const { uid_tag_id: tag } of all) await agrees(tag)
  })

  test('fails for every byte that is changed', () => {
    const bytes = Buffer.from(text)
    const missed = []
    for (let at = 0; at < bytes.length; at++) {
      const original = bytes[at]
      // To the neighbouring digit or letter, so that most changes are still JSON.
      bytes[at] = original ^ 1
      if (!isRefused(bytes.toString('utf8'))) missed.push(at)
      bytes[at] = original
    }
    assert.deepEqual(missed, [])
    assert.equal(isRefused(text), false)
    for (const spoiled of [text.slice(1), `${text} `, text.replace(':', ': '), '', '[]', 'null']) {
      assert.equal(isRefused(spoiled), true)
    }
  })

  test('fails where whole parts are exchanged or left out', () => {
    const bundle = JSON.parse(text)
    const spoils = [
      (it) => it.records.pop(),
      (it) => it.records.reverse(),
      (it) => it.headers.pop(),
      (it) => { it.records[1].issuerSignature = it.records[0].issuerSignature },
      (it) => { it.records[2].salt = it.records[1].salt },
      (it) => { it.network = 'main' },
      (it) => { it.more = 1 },
      (it) => { delete it.beef }
    ]
    for (const spoil of spoils) {
      const spoiled = structuredClone(bundle)
      spoil(spoiled)
      assert.equal(isRefused(modules.canonical(spoiled).replaceAll('<', '\\u003c')), true, String(spoil))
    }
  })

  test('cannot be led astray by what somebody called a product', () => {
    assert.ok(!page.includes('<script>alert'), 'the name is escaped everywhere')
    const scripts = [...page.matchAll(/<script[^>]*>/g)].map(([tag]) => tag)
    assert.equal(scripts.length, 3, scripts.join())
  })
})

// The log of all commitments as a stranger reads it: its tree rebuilt from the static files by the
// rules of RFC 9162, its signature checked with Node's own cryptography; then everything once more
// by the packages that the Go checksum database is made of.

import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import crypto from 'node:crypto'
import { before, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

import { demo, freshTag, register, verify } from './demo.mjs'
import { Owner } from './owner.mjs'

const SIGNATURE_TYPE = Buffer.from('\xffpatchproof/ecdsa-secp256k1-sha256', 'latin1')
const PATIENCE_MS = 60_000
// What stands before the 33 bytes of a compressed key in a SubjectPublicKeyInfo.
const SPKI = Buffer.from('3036301006072a8648ce3d020106052b8104000a032200', 'hex')

const sha256 = (...parts) => crypto.createHash('sha256').update(Buffer.concat(parts)).digest()
const leafHash = (entry) => sha256(Buffer.of(0), entry)
const node = (left, right) => sha256(Buffer.of(1), left, right)

/** Asks the server. */
async function ask(path) {
  const answer = await fetch(new URL(path, demo.baseUrl))
  assert.equal(answer.status, 200, `${path}: ${answer.status}`)
  return answer
}

const json = async (path) => (await ask(path)).json()
const bytes = async (path) => Buffer.from(await (await ask(path)).arrayBuffer())

/** RFC 9162, 2.1.1. */
function treeHash(leaves) {
  if (leaves.length === 1) return leaves[0]
  const k = 2 ** Math.floor(Math.log2(leaves.length - 1))
  return node(treeHash(leaves.slice(0, k)), treeHash(leaves.slice(k)))
}

/** RFC 9162, 2.1.4.1. */
function consistencyProof(m, leaves, whole = true) {
  if (m === leaves.length) return whole ? [] : [treeHash(leaves)]
  const k = 2 ** Math.floor(Math.log2(leaves.length - 1))
  return m <= k
    ? [...consistencyProof(m, leaves.slice(0, k), whole), treeHash(leaves.slice(k))]
    : [...consistencyProof(m - k, leaves.slice(k), false), treeHash(leaves.slice(0, k))]
}

/** Opens a signed note with a verifier key, and returns the lines of its text. */
function open(note, vkey) {
  const [name, id, encoded] = vkey.split(/\+(.{8})\+(.*)/s)
  const kind = Buffer.from(encoded, 'base64')
  assert.ok(kind.subarray(0, SIGNATURE_TYPE.length).equals(SIGNATURE_TYPE))
  assert.equal(sha256(Buffer.from(`${name}\n`), kind).subarray(0, 4).toString('hex'), id)
  const end = note.lastIndexOf('\n\n')
  const [text, line] = [note.slice(0, end + 1), note.slice(end + 2)]
  assert.match(line, /^\u2014 [^ +]+ [A-Za-z0-9+/=]+\n$/)
  const [, signer, signed] = line.trim().split(' ')
  const signature = Buffer.from(signed, 'base64')
  assert.equal(signer, name)
  assert.equal(signature.subarray(0, 4).toString('hex'), id)
  const der = Buffer.concat([SPKI, kind.subarray(SIGNATURE_TYPE.length)])
  const key = crypto.createPublicKey({ key: der, format: 'der', type: 'spki' })
  const holds = crypto.verify('sha256', Buffer.from(text), key, signature.subarray(4))
  assert.ok(holds, 'the signature matches the text')
  const changed = Buffer.from(text.replace('\n', '\n1'))
  assert.ok(!crypto.verify('sha256', changed, key, signature.subarray(4)))
  return text.trimEnd().split('\n')
}

/** Reads the files of a width, tile by tile. */
async function files(kind, size) {
  const found = []
  for (let place = 0; place * 256 < size; place += 1) {
    const width = Math.min(256, size - place * 256)
    const name = String(place).padStart(3, '0')
    found.push(await bytes(`/log/tile/${kind}/${name}${width < 256 ? `.p/${width}` : ''}`))
  }
  return Buffer.concat(found)
}

let size, root, entries, leaves

before(async () => {
  const uid = freshTag('LOG')
  await register(uid, Owner.random())
  const { verificationDetails } = await verify(uid)
  const path = `/v1/log/inclusion?commitment=${verificationDetails.commitment}`
  const until = Date.now() + PATIENCE_MS
  for (;;) {
    const answer = await fetch(new URL(path, demo.baseUrl))
    if (answer.status === 200) break
    assert.ok(Date.now() < until, 'no checkpoint covers what was accepted')
    await new Promise((resolve) => setTimeout(resolve, 500))
  }
  const { origin, vkey } = await json('/v1/log/key')
  const lines = open(await (await ask('/log/checkpoint')).text(), vkey)
  assert.equal(lines.length, 3)
  assert.equal(lines[0], origin)
  size = Number(lines[1])
  root = Buffer.from(lines[2], 'base64')
  const bundles = await files('entries', size)
  entries = []
  for (let at = 0; at < bundles.length; at += 34) {
    assert.equal(bundles.readUInt16BE(at), 32)
    entries.push(bundles.subarray(at + 2, at + 34))
  }
  leaves = entries.map(leafHash)
})

describe('the log', () => {
  test('is the tree that its checkpoint signs', async () => {
    assert.equal(entries.length, size)
    assert.ok(size > 1)
    assert.ok(treeHash(leaves).equals(root))
    assert.ok(Buffer.concat(leaves).equals(await files('0', size)))
  })

  test('proves that it only grew between any two of its sizes', async () => {
    for (let from = 1; from <= size; from += Math.ceil(size / 40)) {
      const { path, ...heads } = await json(`/v1/log/consistency?from=${from}&to=${size}`)
      const expected = consistencyProof(from, leaves).map((hash) => hash.toString('hex'))
      assert.deepEqual(path, expected, `${from} to ${size}`)
      assert.equal(heads.from.root, treeHash(leaves.slice(0, from)).toString('hex'))
      assert.equal(heads.to.root, root.toString('hex'))
    }
  })

  test('holds for the packages of the Go checksum database', { timeout: 240_000 }, async () => {
    const cwd = fileURLToPath(new URL('tlog', import.meta.url))
    const { stdout } = await promisify(execFile)('go', ['run', '.', demo.baseUrl], { cwd })
    assert.ok(Number(stdout) >= size, stdout)
  })
})

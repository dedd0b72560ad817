// A server in production mode with everything that it needs, each in a process of its own: the signer on a Unix
// socket, the simulated network on loopback, the server between them.

import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, openSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { request } from 'node:http'

const secret = () => randomBytes(32).toString('hex')

/** Asks over a Unix socket; resolves with the answer's JSON. */
const askSocket = (socketPath, path, headers) =>
  new Promise((resolve, reject) => {
    const call = request({ socketPath, path, headers }, (answer) => {
      let text = ''
      answer.on('data', (part) => { text += part })
      answer.on('end', () => resolve(JSON.parse(text)))
    })
    call.on('error', reject).end()
  })

/** Starts everything; resolves with where it is and how it is stopped. */
export async function start(binary) {
  const folder = mkdtempSync(join(tmpdir(), 'patchproof-e2e-'))
  const file = (name) => join(folder, name)
  const running = []
  const stop = async () => {
    for (const child of running.reverse()) {
      const ended = new Promise((resolve) => child.once('exit', resolve))
      if (child.exitCode === null && child.kill('SIGTERM')) await ended
    }
    rmSync(folder, { recursive: true, force: true })
  }

  /** Starts a part; resolves with the first line that it prints, which says where it listens. */
  const run = (name, args, env = {}) => {
    const child = spawn(binary, args, { env, stdio: ['ignore', 'pipe', openSync(file(`${name}.log`), 'a')] })
    running.push(child)
    return new Promise((resolve, reject) => {
      createInterface({ input: child.stdout }).once('line', resolve).on('line', () => {})
      child.once('exit', (code) => reject(new Error(`${name} ended with ${code}: ${readFileSync(file(`${name}.log`))}`)))
      child.once('error', reject)
    })
  }

  try {
    const kmsKey = secret()
    const socket = file('signer.sock')
    const signer = await run('signer', ['signer', '--init', '--init-passphrase', '--keystore', file('keystore.json'),
      '--passphrase-file', file('passphrase'), '--log', file('signed.log'), '--listen', `unix:${socket}`],
    { KMS_API_KEY: kmsKey })
    const simnet = await run('simnet', ['simnet', '--listen', '127.0.0.1:0', '--mine-every', '500ms'])

    // The pool begins with what the network's faucet pays, in a block.
    const keys = await askSocket(socket, '/keys', { authorization: `Bearer ${kmsKey}` })
    const { addressTest } = keys.find((key) => key.keyIdentifier === 'funding')
    const paid = await fetch(`${simnet}/sim/faucet`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ address: addressTest, satoshis: 20_000, count: 20 })
    })
    if (!paid.ok) throw new Error(`the faucet: ${paid.status} ${await paid.text()}`)

    const apiKey = secret()
    const environment = {
      NODE_ENV: 'production',
      PORT: '0',
      PATCHPROOF_DATA_DIR: file('data'),
      API_KEY: apiKey,
      JWT_SECRET: secret(),
      MASTER_SECRET: secret(),
      KMS_SIGN_URL: signer,
      KMS_API_KEY: kmsKey,
      ISSUER_KEY_IDENTIFIER: 'issuer',
      CUSTODY_KEY_IDENTIFIER: 'custody',
      UTXO_FUNDING_KEY_IDENTIFIER: 'funding',
      WOC_NETWORK: 'test',
      WOC_BASE_URL: `${simnet}/v1/bsv/test`,
      CHAIN_PROFILE: 'simulated',
      // No mail is sent; production wants to know where it would go.
      SMTP_HOST: 'localhost',
      EMAIL_FROM: 'codes@shop.example',
      METRICS_REQUIRE_API_KEY: '1'
    }
    const listening = await run('server', ['serve'], environment)
    const baseUrl = listening.replace('listening on ', '').replace(/\/*$/, '/')
    // What the faucet paid is taken in at the server's next look, or now.
    const synced = await fetch(`${baseUrl}v1/admin/utxo-maintain`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-api-key': apiKey },
      body: JSON.stringify({ action: 'sync' })
    })
    if (!synced.ok) throw new Error(`the pool: ${synced.status} ${await synced.text()}`)
    const log = () => readFileSync(file('server.log'), 'utf8')
    return { baseUrl, apiKey, network: 'test', environment, log, stop }
  } catch (error) {
    await stop()
    throw error
  }
}

// A certificate from a real ACME server: obtained, used, renewed while connections live on, kept over
// a restart, and missed without the server ending.

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, openSync, readdirSync, readFileSync, statSync } from 'node:fs'
import http from 'node:http'
import https from 'node:https'
import { test } from 'node:test'
import tls from 'node:tls'

const { PATCHPROOF_BIN, SCRATCH, PEBBLE_PID, ACME_URL, ROOTS_URL, ACME_CA } = process.env
const port = Number(process.env.TLS_PORT)
const plainPort = Number(process.env.PLAIN_PORT)
const NAME = 'shop.patchproof.test'
const PATIENCE_MS = 60_000

/** Asks until the answer will do: for what the other side brings about by itself. */
async function until(what, ask) {
  const deadline = Date.now() + PATIENCE_MS
  let last
  for (;;) {
    try {
      last = await ask()
      if (last) return last
    } catch (error) {
      last = error
    }
    assert.ok(Date.now() < deadline, `${what}: ${last}`)
    await new Promise((done) => setTimeout(done, 100))
  }
}

function request(module, options) {
  return new Promise((done, failed) => {
    const asked = module.request({ host: '127.0.0.1', ...options }, (answer) => {
      let body = ''
      answer.setEncoding('utf8')
      answer.on('data', (piece) => (body += piece))
      answer.on('end', () => done({ status: answer.statusCode, headers: answer.headers, body }))
    })
    asked.on('error', failed)
    asked.end()
  })
}

/** Starts the program, and returns its process and the first line that it prints. */
function start(name, args, environment) {
  const log = openSync(`${SCRATCH}/${name}.log`, 'a')
  const child = spawn(PATCHPROOF_BIN, args, { env: environment, stdio: ['ignore', 'pipe', log] })
  const printed = new Promise((done, failed) => {
    child.stdout.on('data', (bytes) => done(String(bytes).split('\n')[0]))
    child.on('exit', (code) => failed(new Error(`${name} ended with ${code}`)))
  })
  printed.catch(() => {})
  return { child, printed }
}

function stop(child) {
  const ended = new Promise((done) => child.once('exit', done))
  child.kill('SIGTERM')
  return ended
}

test('a certificate is obtained, renewed, kept, and missed without an end', async (context) => {
  const signer = start('signer', ['signer', '--init', '--init-passphrase', '--keystore',
    `${SCRATCH}/keystore.json`, '--passphrase-file', `${SCRATCH}/passphrase`, '--listen',
    `unix:${SCRATCH}/signer.sock`], {})
  const simnet = start('simnet', ['simnet', '--listen', '127.0.0.1:0'], {})
  context.after(() => [signer, simnet].forEach(({ child }) => child.kill()))
  const data = `${SCRATCH}/data`
  mkdirSync(data)
  const environment = {
    BIND: '127.0.0.1', PORT: String(port), TLS_REDIRECT_PORT: String(plainPort),
    PATCHPROOF_DATA_DIR: data, KMS_SIGN_URL: await signer.printed,
    ISSUER_KEY_IDENTIFIER: 'issuer', UTXO_FUNDING_KEY_IDENTIFIER: 'funding', WOC_NETWORK: 'test',
    WOC_BASE_URL: `${await simnet.printed}/v1/bsv/test`, CHAIN_PROFILE: 'simulated',
    ACME_DOMAINS: NAME, ACME_EMAIL: 'ops@patchproof.test', ACME_DIRECTORY: ACME_URL,
    ACME_CA_FILE: ACME_CA,
  }
  const own = readFileSync(ACME_CA)
  const root = await until('the root of Pebble', async () => {
    const url = new URL(ROOTS_URL)
    const answer = await request(https, { port: url.port, path: url.pathname, ca: own })
    return answer.status === 200 && answer.body
  })
  let server = start('serve', ['serve'], environment)
  context.after(() => server.child.kill())
  assert.match(await server.printed, /^listening on https:/)

  const secure = { port, ca: root, servername: NAME, headers: { host: NAME } }
  const shown = () =>
    new Promise((done, failed) => {
      const socket = tls.connect({ host: '127.0.0.1', port, ca: root, servername: NAME }, () => {
        const certificate = socket.getPeerCertificate()
        socket.end()
        done(certificate)
      })
      socket.on('error', failed)
    })

  const first = await until('a certificate', shown)
  assert.equal(first.subjectaltname, `DNS:${NAME}`)
  assert.match(first.issuer.CN, /Pebble/)

  const health = await request(https, { ...secure, path: '/health' })
  assert.equal(health.status, 200)
  assert.equal(health.headers['strict-transport-security'], 'max-age=31536000')
  const led = await request(http, { port: plainPort, path: '/docs?a=b', headers: { host: 'evil.example' } })
  assert.deepEqual([led.status, led.headers.location], [308, `https://${NAME}/docs?a=b`])

  const agent = new https.Agent({ keepAlive: true, maxSockets: 1 })
  context.after(() => agent.destroy())
  const alive = { ...secure, agent, path: '/health' }
  assert.equal((await request(https, alive)).status, 200)
  const socket = Object.values(agent.freeSockets)[0][0]

  const metric = async (name) => {
    const { body } = await request(https, { ...secure, rejectUnauthorized: false, path: '/metrics' })
    const line = body.split('\n').find((it) => it.startsWith(name))
    return line === undefined ? undefined : Number(line.split(' ').pop())
  }
  const expiry = await metric('tls_certificate_expiry_timestamp_seconds')
  assert.equal(expiry, Date.parse(first.valid_to) / 1000)
  assert.equal(await metric('tls_certificate_failures_total{source="acme"}'), 0)

  const second = await until('a renewed certificate', async () => {
    const now = await shown()
    return now.serialNumber !== first.serialNumber && now
  })
  assert.ok(Date.parse(second.valid_to) > Date.parse(first.valid_to))
  assert.equal((await request(https, alive)).status, 200)
  assert.ok(!socket.destroyed, 'the connection from before the renewal lives on')
  await until('the new end', async () =>
    (await metric('tls_certificate_expiry')) >= Date.parse(second.valid_to) / 1000)

  const mode = (path) => statSync(path).mode & 0o777
  const kept = readdirSync(`${data}/acme`)
  assert.deepEqual(kept.map((name) => name.replace(/-.*\./, '.')).sort(), ['account.p8', 'certificate.pem'])
  assert.equal(mode(`${data}/acme`), 0o700)
  kept.forEach((name) => assert.equal(mode(`${data}/acme/${name}`), 0o600, name))

  // The authority is away, and the program starts anew: what was kept is used at once.
  assert.equal(await stop(server.child), 0)
  process.kill(Number(PEBBLE_PID))
  server = start('serve', ['serve'], environment)
  await server.printed
  const unchecked = { ...secure, rejectUnauthorized: false }
  await until('the certificate that was kept', async () =>
    (await request(https, { ...unchecked, path: '/health' })).status === 200)
  await until('a failure that is counted', async () =>
    (await metric('tls_certificate_failures_total{source="acme"}')) >= 1)
  const ready = JSON.parse((await request(https, { ...unchecked, path: '/ready' })).body)
  assert.ok(ready.warnings.some((it) => it.startsWith('there is no new certificate')), ready.warnings)
  assert.ok(existsSync(`${data}/control.sock`))
  assert.equal(await stop(server.child), 0)
  assert.match(readFileSync(`${SCRATCH}/serve.log`, 'utf8'), /the certificate authority has looked/)
})

// The shipped examples for nginx and Caddy: HTTPS and the way to it, who asks, streams, what is closed.

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import http from 'node:http'
import https from 'node:https'
import { test } from 'node:test'

const { API_KEY, CA, NGINX_PORTS, CADDY_PORTS } = process.env
const NAME = 'patchproof.example'
const ca = readFileSync(CA)

function open(module, options) {
  return new Promise((done, failed) => {
    const { body, headers, ...others } = options
    const asked = module.request(
      { host: '127.0.0.1', ca, servername: NAME, headers: { host: NAME, ...headers }, ...others },
      done,
    )
    asked.on('error', failed)
    asked.end(body)
  })
}

async function ask(module, options) {
  const answer = await open(module, options)
  let text = ''
  for await (const piece of answer.setEncoding('utf8')) text += piece
  const hsts = answer.rawHeaders.filter((it) => it.toLowerCase() === 'strict-transport-security')
  return { status: answer.statusCode, headers: answer.headers, text, hsts: hsts.length }
}

for (const [proxy, ports, first] of [['nginx', NGINX_PORTS, 2], ['Caddy', CADDY_PORTS, 4]]) {
  const [plainPort, port] = ports.split(',').map(Number)

  test(`${proxy}: plain HTTP is led to HTTPS`, async () => {
    const led = await ask(http, { port: plainPort, path: '/docs?a=b' })
    assert.equal(led.status, 308)
    assert.match(led.headers.location, /^https:\/\/patchproof\.example(:\d+)?\/docs\?a=b$/)
  })

  test(`${proxy}: the program is reached, and browsers are told once to come back over HTTPS`, async () => {
    const health = await ask(https, { port, path: '/health' })
    assert.deepEqual([health.status, JSON.parse(health.text).status], [200, 'ok'])
    assert.deepEqual([health.hsts, health.headers['strict-transport-security']], [1, 'max-age=31536000'])
    const refused = await ask(https, { port, path: '/v1/admin/patches' })
    assert.equal(refused.status, 401)
  })

  test(`${proxy}: each client is counted for himself, whatever he says he is`, async () => {
    const left = async (from, headers = {}) => {
      const path = '/v1/patches/verify/nobody'
      const answer = await ask(https, { port, path, headers, localAddress: `127.0.0.${from}` })
      return Number(/r=(\d+)/.exec(answer.headers.ratelimit)[1])
    }
    const full = await left(first)
    assert.equal(await left(first), full - 1)
    assert.equal(await left(first, { 'x-forwarded-for': '203.0.113.9' }), full - 2)
    assert.equal(await left(first + 1), full)
  })

  test(`${proxy}: metrics are closed`, async () => {
    for (const path of ['/metrics', '/internal/metrics']) {
      const answer = await ask(https, { port, path, headers: { 'x-api-key': API_KEY } })
      assert.equal(answer.status, 404, path)
      assert.ok(!answer.text.includes('# TYPE'), answer.text)
    }
  })

  test(`${proxy}: what happens is told within a second`, async (context) => {
    const begun = performance.now()
    const path = '/v1/admin/events?topics=record'
    const stream = await open(https, { port, path, headers: { 'x-api-key': API_KEY } })
    context.after(() => stream.destroy())
    assert.equal(stream.statusCode, 200)
    const piece = await new Promise((done) => stream.once('data', done))
    assert.match(String(piece), /^: hello\n/)
    assert.ok(performance.now() - begun < 1000)
  })

  test(`${proxy}: what is too large is refused by the program, and not before it`, async () => {
    const headers = { 'x-api-key': API_KEY, 'content-type': 'application/json' }
    const body = JSON.stringify({ text: 'a'.repeat(2 * 1024 * 1024) })
    const refused = await ask(https, { port, method: 'POST', path: '/v1/patches', headers, body })
    assert.equal(refused.status, 413)
    assert.equal(JSON.parse(refused.text).code, 'PAYLOAD_TOO_LARGE', 'the program says so, not the proxy')
  })
}

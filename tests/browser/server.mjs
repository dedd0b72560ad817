// A server of its own, fresh, beside the demo, whose signer and network it uses; or another demo.

import { execFile, spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'

import { demo, secrets } from '../interop/demo.mjs'

const run = promisify(execFile)
const binary = process.env.PATCHPROOF_BIN

/** Starts it: `{base, command(...words), stop()}`. Commands are run beside it and return what they print. */
export async function serve(more = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'patchproof-browser-'))
  const env = {
    PATH: process.env.PATH, PORT: '0', PATCHPROOF_DATA_DIR: folder, LOG_LEVEL: 'error', CHAIN_PROFILE: 'simulated',
    ISSUER_KEY_IDENTIFIER: 'issuer', UTXO_FUNDING_KEY_IDENTIFIER: 'funding', WOC_NETWORK: 'test',
    WOC_BASE_URL: demo.chainUrl, KMS_SIGN_URL: demo.signerUrl, KMS_API_KEY: secrets.signer_key, ...more
  }
  const server = spawn(binary, ['serve'], { env, stdio: ['ignore', 'pipe', 'inherit'] })
  const ended = new Promise((resolve) => server.once('exit', resolve))
  let base
  for await (const line of createInterface({ input: server.stdout })) {
    if (line.startsWith('listening on ')) {
      base = line.slice('listening on '.length)
      break
    }
  }
  if (!base) throw new Error('the server does not listen')
  return {
    base,
    command: async (...words) => (await run(binary, words, { env })).stdout.trim(),
    async stop() {
      server.kill('SIGTERM')
      await ended
      rmSync(folder, { recursive: true })
    }
  }
}

/** Starts another demo, without products: `{described, command(...words), stop()}`. */
export async function otherDemo() {
  const folder = mkdtempSync(join(tmpdir(), 'patchproof-browser-'))
  const place = ['--data-dir', join(folder, 'data')]
  const words = ['demo', '--empty', '--listen', '127.0.0.1:0', '--mine-every-secs', '86400', ...place]
  const server = spawn(binary, words, { stdio: ['ignore', 'pipe', 'inherit'] })
  const ended = new Promise((resolve) => server.once('exit', resolve))
  const lines = createInterface({ input: server.stdout })
  await new Promise((resolve) => lines.on('line', (line) => line.startsWith('Try next') && resolve()))
  const read = (name) => JSON.parse(readFileSync(join(folder, 'data', name), 'utf8'))
  return {
    described: read('demo.json'),
    passphrase: read('demo-secrets.json').passphrase,
    command: async (...words) => (await run(binary, [...words, ...place])).stdout.trim(),
    async stop() {
      server.kill('SIGTERM')
      await ended
      rmSync(folder, { recursive: true })
    }
  }
}

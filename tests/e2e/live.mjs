// The server that is tested, and how it is spoken to: BASE_URL, or one that is started for the suite.

import { start } from './production.mjs'

const DEADLINE_MS = 60_000
const POLL_MS = 50

/** Asks until there is an answer, and returns that. */
export async function until(what, ask) {
  const deadline = Date.now() + DEADLINE_MS
  for (;;) {
    const found = await ask()
    if (found) return found
    if (Date.now() > deadline) throw new Error(`waited in vain until ${what}`)
    await new Promise((resolve) => setTimeout(resolve, POLL_MS))
  }
}

/** Says whether a server may be given registrations that cost money; throws if not. */
export async function guard(baseUrl, environment) {
  if (environment.E2E_MAINNET === '1') return
  const answer = await fetch(new URL('ready', baseUrl))
  const { warnings = [] } = await answer.json().catch(() => ({}))
  // Nothing but a demo says this, and a demo spends nothing.
  if (warnings.some((warning) => warning.startsWith('demo: the network is simulated'))) return
  throw new Error(`${baseUrl} is no demo: this suite registers products there and spends its money. Say E2E_MAINNET=1 if that is meant`)
}

/** Starts or finds the server. */
export async function live(environment = process.env) {
  if (!environment.BASE_URL) return start(environment.PATCHPROOF_BIN)
  const baseUrl = environment.BASE_URL.replace(/\/*$/, '/')
  await guard(baseUrl, environment)
  if (!environment.API_KEY) throw new Error('API_KEY is needed: one that may do everything')
  const network = environment.E2E_NETWORK ?? (environment.E2E_MAINNET === '1' ? 'main' : 'test')
  return { baseUrl, apiKey: environment.API_KEY, network, isForeign: true, stop: async () => {} }
}

/** Calls a server; a key or token goes along only where it is asked for. */
export async function call(server, method, path, { json, apiKey, token, headers = {} } = {}) {
  const sent = { ...headers }
  if (apiKey) sent['x-api-key'] = apiKey === true ? server.apiKey : apiKey
  if (token) sent.authorization = `Bearer ${token}`
  if (json !== undefined) sent['content-type'] = 'application/json'
  const body = json === undefined ? undefined : JSON.stringify(json)
  const answer = await fetch(new URL(path, server.baseUrl), { method, headers: sent, body })
  const text = await answer.text()
  const isJson = (answer.headers.get('content-type') ?? '').includes('json')
  return { status: answer.status, headers: answer.headers, text, json: isJson ? JSON.parse(text) : undefined }
}

// The one file that asks the server. Everything the console does is a documented route.

import { signal } from './parts/html.js'

/** Who is logged in: undefined until that is known, null for nobody. */
export const session = signal(undefined)

/** Whether a session ended under the reader's hands, so that the login says why it is there. */
export const hasExpired = signal(false)

/** A refusal, or an answer that never came. `requestId` is what the log knows it by. */
export class Refusal extends Error {
  constructor(problem, status, retryAfter) {
    super(problem.detail || problem.title || String(status))
    this.code = problem.code
    this.title = problem.title
    this.detail = problem.detail
    this.fields = problem.errors ?? []
    this.requestId = problem.requestId
    this.status = status
    this.retryAfter = retryAfter
  }
}

const unreachable = () => new Refusal({ code: 'UNREACHABLE' }, 0)

async function send(method, path, options) {
  const headers = { accept: 'application/json', 'x-patchproof-console': '1', ...options.headers }
  let body = options.body
  if (options.json !== undefined) {
    headers['content-type'] = 'application/json'
    body = JSON.stringify(options.json)
  }
  // Nobody touched the page: asking is no use of the session, which ends when it rests.
  if (options.isBackground) headers['x-patchproof-background'] = '1'
  if (options.once) headers['idempotency-key'] = options.once
  try {
    return await fetch(path, {
      method, headers, body, credentials: 'same-origin', cache: 'no-store', signal: options.signal
    })
  } catch (error) {
    throw error.name === 'AbortError' ? error : unreachable()
  }
}

async function refuse(response) {
  const problem = await response.json().catch(() => ({ title: response.statusText }))
  return new Refusal(problem, response.status, Number(response.headers.get('retry-after')) || 0)
}

/** Asks and returns `{body, etag, status}`; a refusal is thrown. */
export async function ask(method, path, options = {}) {
  const response = await send(method, path, options)
  if (!response.ok) {
    const refusal = await refuse(response)
    if (response.status === 401 && session.value && !options.isLogin) {
      hasExpired.value = true
      session.value = null
    }
    throw refusal
  }
  const isJson = (response.headers.get('content-type') ?? '').includes('json')
  const body = isJson ? await response.json() : await response.text()
  return { body, etag: response.headers.get('etag'), status: response.status }
}

/** Writes a path with what is not said left out of its query. */
export function address(path, query = {}) {
  const pairs = Object.entries(query).filter(([, value]) => value !== undefined && value !== null && value !== '')
  const text = new URLSearchParams(pairs).toString()
  return text ? `${path}?${text}` : path
}

/** Reads a route. */
export const get = async (path, query, options) => (await ask('GET', address(path, query), options)).body

/** Sends to a route; `once` makes a repetition harmless. */
export const post = async (path, json, options) => (await ask('POST', path, { json, ...options })).body

/** Returns a key under which one deed is done once, however often it is sent. */
export function onceKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16))
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
}

function begin(answer) {
  hasExpired.value = false
  session.value = answer
}

/** Finds out who is logged in. */
export async function recognise() {
  try {
    session.value = await get('/v1/admin/session', {}, { isLogin: true })
  } catch (error) {
    if (error.status !== 401) throw error
    session.value = null
  }
}

/** Logs in by name and password. */
export const logIn = async (name, password) =>
  begin((await ask('POST', '/v1/admin/session', { json: { name, password }, isLogin: true })).body)

/** Logs in with a key that this browser keeps (docs/SVD_AUTH.md). */
export async function logInWithKey(key) {
  const { answer } = await import('./parts/browser-keys.js')
  const { M } = await post('/api/svd/begin', { userId: key.id }, { isLogin: true })
  const answered = { userId: key.id, M, signatureHex: await answer(key, M) }
  const { token } = await post('/api/svd/complete', answered, { isLogin: true })
  const headers = { authorization: `Bearer ${token}` }
  begin((await ask('POST', '/v1/admin/session/svd', { headers, isLogin: true })).body)
}

/** Looks at a one-time link without using it up: `{name, expiresAt}`, the name of the account it is for. */
export const lookAtLink = (token) => post('/v1/admin/setup/check', { token }, { isLogin: true })

/** Makes the first account by a one-time link, and logs in. */
export const setUp = async (token, name, password) =>
  begin((await ask('POST', '/v1/admin/setup', { json: { token, name, password }, isLogin: true })).body)

/** Logs out; the server forgets the session. */
export async function logOut() {
  await ask('DELETE', '/v1/admin/session')
  session.value = null
}

/** Tells whether the one who is logged in may do what takes a scope. */
export function may(scope) {
  const scopes = session.value?.scopes ?? []
  return scopes.includes('admin') || scopes.includes(scope)
}

/** Tells whether he may read what takes a scope. */
export const mayRead = (scope) => Boolean(session.value?.readsEverything) || may(scope)

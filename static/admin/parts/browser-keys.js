// Login keys that this browser keeps. A key is sealed with another one that the browser hands to nobody, not
// even to this page, so that what lies on its disk is of no use elsewhere.

const BASE = 'patchproof'
const SHELF = 'login-keys'
const SEAL = 'AES-GCM'
const IV_BYTES = 12

/** Whether this browser can keep one: it takes a secure origin and a store that lasts. */
export const canKeep = () => Boolean(globalThis.isSecureContext && globalThis.crypto?.subtle && globalThis.indexedDB)

const answered = (request) => new Promise((resolve, reject) => {
  request.onsuccess = () => resolve(request.result)
  request.onerror = () => reject(request.error)
})

/** Opens the shelf, does one thing with it, and waits until that is on the disk. */
async function onShelf(mode, deed) {
  const opening = indexedDB.open(BASE, 1)
  opening.onupgradeneeded = () => opening.result.createObjectStore(SHELF, { keyPath: 'id' })
  const base = await answered(opening)
  try {
    const transaction = base.transaction(SHELF, mode)
    const isDone = new Promise((resolve, reject) => {
      transaction.oncomplete = resolve
      transaction.onabort = () => reject(transaction.error)
    })
    const result = await answered(deed(transaction.objectStore(SHELF)))
    await isDone
    return result
  } finally {
    base.close()
  }
}

/** Lists the keys that are kept here: `{id, account, name, label, …}`; none where nothing can be kept. */
export async function keptKeys() {
  if (!canKeep()) return []
  // A browser that refuses its store, as some do in private windows, keeps none.
  const keys = await onShelf('readonly', (shelf) => shelf.getAll()).catch(() => [])
  return keys.sort((a, b) => a.name.localeCompare(b.name))
}

/** Keeps a sealed key under the user that the server made up for it. */
export const keep = (sealed, { id, label }, { id: account, name }) =>
  onShelf('readwrite', (shelf) => shelf.put({ ...sealed, id, label, account, name }))

/** Forgets a key, which nobody can bring back. */
export const forget = (id) => onShelf('readwrite', (shelf) => shelf.delete(id))

/** Makes a key and seals it: `{publicKey, iv, box, seal}`. The key itself is gone when this is done. */
export async function makeKey() {
  const { freshKey } = await import('./signing.js')
  const { secret, publicKey } = freshKey()
  const seal = await crypto.subtle.generateKey({ name: SEAL, length: 256 }, false, ['encrypt', 'decrypt'])
  const iv = crypto.getRandomValues(new Uint8Array(IV_BYTES))
  const box = await crypto.subtle.encrypt({ name: SEAL, iv }, seal, secret)
  secret.fill(0)
  return { publicKey, iv, box, seal }
}

/** Answers a login challenge with a key that is kept here. */
export async function answer({ iv, box, seal }, challenge) {
  const { signChallenge } = await import('./signing.js')
  const secret = new Uint8Array(await crypto.subtle.decrypt({ name: SEAL, iv }, seal, box))
  try {
    return signChallenge(challenge, secret)
  } finally {
    secret.fill(0)
  }
}

const BROWSERS = [['Edg/', 'Edge'], ['OPR/', 'Opera'], ['Firefox/', 'Firefox'], ['Chrome/', 'Chrome'], ['Safari/', 'Safari']]
const SYSTEMS = [['Android', 'Android'], ['iPhone', 'iPhone'], ['iPad', 'iPad'], ['Windows', 'Windows'], ['Mac OS', 'Mac'], ['Linux', 'Linux']]

/** Returns what one might call this browser. */
export function ownLabel() {
  const named = (list) => list.find(([mark]) => navigator.userAgent.includes(mark))?.[1]
  return [named(BROWSERS), named(SYSTEMS)].filter(Boolean).join(', ')
}

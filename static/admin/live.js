// One stream of what happens. Pages read the signals and never ask over and over.

import { signal } from './parts/html.js'

const TOPICS = ['overview', 'record', 'claim', 'batch', 'import', 'settings', 'log', 'session']
/** What changes in a burst is read once at its end, well within a second of the truth. */
const GATHER_MS = 250

/** `off`, `opening`, `on` or `lost`. */
export const state = signal('off')

/** The newest overview, as the stream or the route told it. */
export const overview = signal(null)

/** Counts how often a topic had news; a page that shows the topic reads it. */
export const news = Object.fromEntries(TOPICS.map((topic) => [topic, signal(0)]))

const listeners = new Map()
const timers = new Map()
let source = null

function announce(topic) {
  if (timers.has(topic)) return
  timers.set(topic, setTimeout(() => {
    timers.delete(topic)
    news[topic].value += 1
  }, GATHER_MS))
}

function hear(topic, event) {
  let data
  try {
    data = JSON.parse(event.data)
  } catch {
    return
  }
  if (topic === 'overview') overview.value = data
  for (const listener of listeners.get(topic) ?? []) listener(data)
  announce(topic)
}

/** Calls `listener` with every event of a topic until what it returns is called. */
export function listen(topic, listener) {
  if (!listeners.has(topic)) listeners.set(topic, new Set())
  listeners.get(topic).add(listener)
  return () => listeners.get(topic).delete(listener)
}

/**
 * Hears a topic that the one stream leaves out, on one of its own, until what it returns is called.
 * `begun` is called whenever it is there (again): what came before that is to be read by a route.
 */
export function follow(topic, { begun, heard }) {
  let own
  let again
  const listen = () => {
    own = new EventSource(`/v1/admin/events?topics=${topic}`)
    own.onopen = begun
    own.onerror = () => { if (own.readyState === EventSource.CLOSED) again = setTimeout(listen, RETRY_MS) }
    own.addEventListener(topic, (event) => heard(JSON.parse(event.data)))
  }
  listen()
  return () => {
    clearTimeout(again)
    own.close()
  }
}

/** Opens the stream; the browser opens it again and says where it stood. */
export function open() {
  if (source) return
  state.value = 'opening'
  source = new EventSource('/v1/admin/events')
  source.onopen = () => { state.value = 'on' }
  source.onerror = () => {
    state.value = 'lost'
    // A refusal closes it for good: it is tried again, but not at once.
    if (source?.readyState === EventSource.CLOSED) {
      close()
      state.value = 'lost'
      retry = setTimeout(open, RETRY_MS)
    }
  }
  source.addEventListener('hello', () => { state.value = 'on' })
  source.addEventListener('reset', () => TOPICS.forEach(announce))
  for (const topic of TOPICS) source.addEventListener(topic, (event) => hear(topic, event))
}

const RETRY_MS = 5000
let retry

/** Ends the stream. */
export function close() {
  clearTimeout(retry)
  source?.close()
  source = null
  state.value = 'off'
}

// The stream of events through nginx with its defaults: what happens is heard within a second, and
// silence is broken before a proxy would give up.

import assert from 'node:assert/strict'
import { test } from 'node:test'

const { NGINX_URL, SERVER_URL, API_KEY, OWNER } = process.env
const headers = { 'x-api-key': API_KEY }

/** Reads a stream block by block: yields {at, text} for each. */
async function* blocks(response) {
  let unread = ''
  for await (const piece of response.body.pipeThrough(new TextDecoderStream())) {
    unread += piece
    for (let end = unread.indexOf('\n\n'); end >= 0; end = unread.indexOf('\n\n')) {
      yield { at: performance.now(), text: unread.slice(0, end) }
      unread = unread.slice(end + 2)
    }
  }
}

/** Opens a stream that ends with the test: an open one would keep the process. */
async function listen(test, topics) {
  const ending = new AbortController()
  test.after(() => ending.abort())
  const begun = performance.now()
  const response = await fetch(`${NGINX_URL}/v1/admin/events?topics=${topics}`, {
    headers,
    signal: ending.signal,
  })
  assert.equal(response.status, 200)
  assert.equal(response.headers.get('content-type'), 'text/event-stream')
  const stream = blocks(response)
  const first = (await stream.next()).value
  assert.match(first.text, /^: hello\n/)
  assert.ok(first.at - begun < 1000, `the beginning came after ${first.at - begun} ms`)
  return stream
}

async function next(stream, text) {
  // Not by `for await`: leaving it would end the stream.
  for (;;) {
    const { value, done } = await stream.next()
    assert.ok(!done, `the stream ended without ${text}`)
    if (value.text.includes(text)) return value
  }
}

test("an event of 300 bytes passes nginx's buffers of 4 KiB within a second", async (context) => {
  const stream = await listen(context, 'record')
  for (let number = 0; number < 5; number += 1) {
    const body = {
      product: { uid_tag_id: `NGINX-${number}-${Date.now()}` },
      auth: { owner: OWNER },
    }
    const heard = next(stream, body.product.uid_tag_id)
    const begun = performance.now()
    const answer = await fetch(`${SERVER_URL}/v1/patches`, {
      method: 'POST',
      headers: { ...headers, 'content-type': 'application/json', prefer: 'respond-async' },
      body: JSON.stringify(body),
    })
    assert.ok(answer.status === 202 || answer.status === 201, await answer.text())
    const block = await heard
    assert.match(block.text, /^id: [0-9a-f]{16}-\d+\nevent: record\n/)
    assert.ok(block.at - begun < 1000, `heard after ${block.at - begun} ms`)
  }
})

test('silence is broken every 15 seconds, and what is said then names where one stands', async (context) => {
  const stream = await listen(context, 'settings')
  const begun = performance.now()
  const block = (await stream.next()).value
  assert.match(block.text, /^: here\nid: [0-9a-f]{16}-\d+$/)
  assert.ok(block.at - begun < 20_000, `a sign of life came after ${block.at - begun} ms`)
})

// What keeps the suite from spending somebody's money by mistake.

import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import { after, before, describe, test } from 'node:test'

import { guard, live } from './live.mjs'

describe('a live server', () => {
  let warnings = []
  const server = createServer((_, answer) => {
    answer.setHeader('content-type', 'application/json')
    answer.end(JSON.stringify({ status: 'ok', warnings }))
  })
  let baseUrl
  before(async () => {
    await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
    baseUrl = `http://127.0.0.1:${server.address().port}/`
  })
  after(() => server.close())

  test('is given nothing unless E2E_MAINNET=1 is said', async () => {
    warnings = ['another warning']
    for (const environment of [{}, { E2E_MAINNET: '0' }, { E2E_MAINNET: 'true' }]) {
      await assert.rejects(live({ BASE_URL: baseUrl, API_KEY: 'x', ...environment }), /E2E_MAINNET=1/)
    }
    await guard(baseUrl, { E2E_MAINNET: '1' })
  })

  test('that is a demo may be used as it is', async () => {
    warnings = ['demo: the network is simulated, keys lie in the data directory']
    const found = await live({ BASE_URL: baseUrl, API_KEY: 'x' })
    assert.deepEqual([found.baseUrl, found.network], [baseUrl, 'test'])
  })

  test('without a key is not asked for anything', async () => {
    await assert.rejects(live({ BASE_URL: baseUrl, E2E_MAINNET: '1' }), /API_KEY/)
  })
})

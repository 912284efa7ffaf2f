import assert from 'node:assert/strict'
import type {AddressInfo} from 'node:net'
import {createServer} from 'node:net'
import {before, describe, it} from 'node:test'

import type {handler as Handler} from '../src/handler.ts'
import {eventOf, json} from './event.ts'

/** An address where nobody listens. */
async function closedPort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
  const {port} = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

describe('the handler, without a broker', () => {
  let handler: typeof Handler
  before(async () => {
    Object.assign(process.env, {
      TOPICS: '{{topic}}',
      ACCESS: 'iam',
      SKK_BROKERS: `127.0.0.1:${await closedPort()}`,
      SKK_AUTH: 'none',
      LOG_LEVEL: 'SILENT',
    })
    ;({handler} = await import('../src/handler.ts'))
  })
  const contextOf = (ms: number) => {
    const ends = Date.now() + ms
    return {awsRequestId: '1', getRemainingTimeInMillis: () => ends - Date.now()}
  }

  it('starts all the same, and answers 503 with Retry-After within its time', async () => {
    const context = contextOf(4000)

    const {statusCode, headers, body} = await handler(eventOf(json({records: [{value: 1}]})), context)

    assert.deepEqual([statusCode, headers['retry-after']], [503, '2'])
    assert.match(JSON.parse(body).offsets[0].error, /try again/)
    assert.ok(context.getRemainingTimeInMillis() > 0)
  })

  it('needs no broker to refuse a bad request', async () => {
    assert.equal((await handler(eventOf({body: 'null'}), contextOf(60_000))).statusCode, 400)
    assert.equal(
      (await handler(eventOf({...json({records: [{value: 1}]}), path: '/topics/other'}), contextOf(60_000))).statusCode,
      404,
    )
  })
})

import {createRequire} from 'node:module'

import {expect, it} from 'vitest'

import {installFrameInOnePiece} from '../../../../src/lib/kafka/overrides/frame-in-one-piece.js'

const require = createRequire(import.meta.url)

/** So long that no two buffers share their memory. */
const LONG = 'second'.repeat(2_000)

function response(correlationId: number, body: string): Buffer {
  const bytes = Buffer.concat([Buffer.alloc(8), Buffer.from(body)])
  bytes.writeInt32BE(bytes.length - 4)
  bytes.writeInt32BE(correlationId, 4)
  return bytes
}

it('responses reach their requests as views of the frames they came in, in pieces too', () => {
  expect(installFrameInOnePiece()).toBe(true)
  const Connection = require('kafkajs/src/network/connection.js')
  const seen: {correlationId: number; payload: Buffer}[] = []
  const connection = Object.assign(Object.create(Connection.prototype), {
    chunks: [],
    bytesBuffered: 0,
    bytesNeeded: 4,
    requestQueue: {fulfillRequest: (answer: (typeof seen)[number]) => seen.push(answer)},
  })
  const [first, second, third] = [response(1, 'first'), response(2, LONG), response(3, 'third')]

  connection.processData(first)
  connection.processData(second)
  connection.processData(third.subarray(0, 9))
  connection.processData(third.subarray(9))

  expect(seen.map(({correlationId, payload}) => [correlationId, payload.toString()])).toEqual([
    [1, 'first'],
    [2, LONG],
    [3, 'third'],
  ])
  expect(seen[1]!.payload.buffer).toBe(second.buffer)
})

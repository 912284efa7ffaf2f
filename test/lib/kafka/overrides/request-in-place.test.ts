import {createRequire} from 'node:module'

import {expect, it} from 'vitest'

const require = createRequire(import.meta.url)
const FILE = 'kafkajs/src/protocol/request.js'
const stock = require(FILE)
const {installRequestInPlace} = await import('../../../../src/lib/kafka/overrides/request-in-place.js')

const body = Buffer.from('the body of a request')
const request = {
  correlationId: 77,
  clientId: 'skk-ü',
  request: {apiKey: 0, apiVersion: 7, encode: async () => ({buf: body, buffer: body})},
}

it('a request that is written around its body is the one that kafkajs makes, and no copy', async () => {
  expect(installRequestInPlace()).toBe(true)
  const overridden = require.cache[require.resolve(FILE)]!.exports
  const bytes = Buffer.concat([Buffer.alloc(100), body, Buffer.from('behind')])
  const inPlace = {bytes, start: 100, end: 100 + body.length}

  const made = await overridden({...request, request: {...request.request, encode: async () => ({inPlace})}})

  expect(made.buffer).toEqual((await stock(request)).buffer)
  expect(made.buffer.buffer).toBe(bytes.buffer)
})

it('any other request is made by kafkajs', async () => {
  const overridden = require.cache[require.resolve(FILE)]!.exports

  expect((await overridden(request)).buffer).toEqual((await stock(request)).buffer)
})

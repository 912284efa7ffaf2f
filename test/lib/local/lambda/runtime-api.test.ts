import {request} from 'node:http'
import {describe, expect, it, onTestFinished} from 'vitest'

import {type RuntimeEvents, serveRuntimeApi} from '../../../../src/lib/local/lambda/runtime-api.js'

const invocation = {
  requestId: 'r-1',
  payload: Buffer.from('{"a":1}'),
  deadlineMs: 1234,
  functionArn: 'arn:aws:lambda:us-east-1:123456789012:function:f',
  traceId: 'Root=1-0-0',
  clientContext: '{"custom":{}}',
}

/** The API, and what it told its owner; only the request `r-1` is known. */
async function serving() {
  const told: unknown[] = []
  const events: RuntimeEvents = {
    next: () => told.push('next'),
    response: (requestId, payload) => requestId === 'r-1' && told.push(['response', payload.toString()]) > 0,
    error: (requestId, payload) => requestId === 'r-1' && told.push(['error', payload.toString()]) > 0,
    initError: (payload) => told.push(['initError', payload.toString()]),
  }
  const api = await serveRuntimeApi(events)
  onTestFinished(() => api.close())
  const call = (path: string, init: RequestInit = {}) => fetch(`http://127.0.0.1:${api.port}/2018-06-01/runtime/${path}`, init)
  const post = (path: string, body = '{}') => call(path, {method: 'POST', body})
  return {api, told, call, post}
}

describe('the Runtime API', () => {
  it('hands an invocation over with the headers of AWS, whether it was there first or the process', async () => {
    const {api, call} = await serving()

    const asking = call('invocation/next')
    await new Promise((resolve) => setTimeout(resolve, 20))
    api.give(invocation)
    const first = await asking
    api.give(invocation)
    const second = await call('invocation/next')

    for (const answer of [first, second]) {
      expect(await answer.json()).toEqual({a: 1})
      expect(Object.fromEntries(answer.headers)).toMatchObject({
        'lambda-runtime-aws-request-id': 'r-1',
        'lambda-runtime-deadline-ms': '1234',
        'lambda-runtime-invoked-function-arn': invocation.functionArn,
        'lambda-runtime-trace-id': 'Root=1-0-0',
        'lambda-runtime-client-context': '{"custom":{}}',
      })
    }
  })

  it('says of no time after which it would close the connection of a process whose function still runs', async () => {
    const {api, call} = await serving()
    api.give(invocation)

    const {headers} = await call('invocation/next')

    // Node's server tells it when there is one.
    expect(headers.get('keep-alive')).toBeNull()
    expect(headers.get('connection')).toBe('keep-alive')
  })

  it('takes a response, an error and a failed start', async () => {
    const {told, post} = await serving()

    const answers = [
      await post('invocation/r-1/response', '1'),
      await post('invocation/r-1/error', '2'),
      await post('init/error', '3'),
    ]

    expect(answers.map(({status}) => status)).toEqual([202, 202, 202])
    expect(told).toEqual([
      ['response', '1'],
      ['error', '2'],
      ['initError', '3'],
    ])
  })

  it('refuses what it does not know, and what is too large', async () => {
    const {told, call, post} = await serving()

    expect((await post('invocation/r-2/response')).status).toBe(400)
    expect((await post('invocation/r-1/other')).status).toBe(404)
    expect((await call('invocation/r-1/response')).status).toBe(404)
    expect((await post('invocation/r-1/response', 'x'.repeat(6_291_557))).status).toBe(413)
    expect(told).toEqual([])
  })

  it.each([{origin: 'http://evil.example'}, {'sec-fetch-site': 'cross-site'}])(
    'does not answer a web page (%j)',
    async (headers) => {
      const {api, told} = await serving()

      const status = await new Promise((resolve) => {
        request({port: api.port, host: '127.0.0.1', path: '/2018-06-01/runtime/invocation/next', headers}, (response) =>
          resolve(response.statusCode),
        ).end()
      })

      expect(status).toBe(403)
      expect(told).toEqual([])
    },
  )
})

import {connect} from 'node:net'
import fc from 'fast-check'
import {afterEach, beforeEach, describe, expect, it} from 'vitest'
import {CONTROL_TOKEN, type Endpoint, startEndpoint} from '../../../support/signed-http.js'

let endpoint: Endpoint

beforeEach(async () => {
  endpoint = await startEndpoint()
})
afterEach(() => endpoint.http.close())

describe('a browser', () => {
  it.each([
    ['another name in Host', {host: 'evil.example'}],
    ['the name of AWS in Host', {host: 'kafka.us-east-1.amazonaws.com'}],
    ['a Host without port', {host: 'localhost'}],
    ['another port in Host', {host: 'localhost:1'}],
    ['an Origin', {origin: 'http://evil.example'}],
    ['an opaque Origin', {origin: 'null'}],
    ['its own Origin', {origin: 'http://localhost'}],
    ['a cross-site fetch', {'sec-fetch-site': 'cross-site'}],
    ['a same-site fetch', {'sec-fetch-site': 'same-site'}],
    ['a same-origin fetch', {'sec-fetch-site': 'same-origin'}],
  ])('with %s is refused, signed or not', async (_, headers) => {
    expect(await endpoint.signedCall({headers: headers as Record<string, string>})).toMatchObject({
      status: 403,
      type: 'ForbiddenException',
    })
    const control = {...(headers as Record<string, string>), 'x-skk-token': CONTROL_TOKEN}
    expect(await endpoint.call({path: '/_skk/stop', headers: control})).toMatchObject({status: 403})
    expect(endpoint.stops()).toBe(0)
  })

  it('gets no preflight', async () => {
    const headers = {origin: 'http://evil.example', 'access-control-request-method': 'POST'}

    expect((await endpoint.call({method: 'OPTIONS', headers})).status).toBe(403)
  })

  it('is not what a user types an address into', async () => {
    expect((await endpoint.signedCall({headers: {'sec-fetch-site': 'none'}})).status).toBe(200)
  })
})

describe('the control routes', () => {
  const token = {'x-skk-token': CONTROL_TOKEN}

  it('answer with the token', async () => {
    expect(await endpoint.call({path: '/_skk/health', headers: token})).toMatchObject({status: 200, body: {pid: 1}})
    expect(await endpoint.call({method: 'POST', path: '/_skk/stop', headers: token})).toMatchObject({status: 200})
    expect(endpoint.stops()).toBe(1)
  })

  it.each([{}, {'x-skk-token': ''}, {'x-skk-token': 'the-control-toke'}, {authorization: CONTROL_TOKEN}])(
    'are refused with %o',
    async (headers) => {
      expect((await endpoint.call({method: 'POST', path: '/_skk/stop', headers: headers as Record<string, string>})).status).toBe(
        403,
      )
      expect(endpoint.stops()).toBe(0)
    },
  )

  it.each(['/_skk/', '/_skk/constructor', '/_skk/none'])('%s does not exist', async (path) => {
    expect((await endpoint.call({path, headers: token})).status).toBe(404)
  })
})

describe('hostile input', () => {
  it.each(['/', '/things', '/things/', '/things/a/b', '/things//', '/../things/x', '/things/%zz', '/constructor'])(
    '%s is no operation',
    async (path) => {
      expect([400, 404]).toContain((await endpoint.signedCall({path})).status)
      expect(endpoint.handled).toEqual([])
    },
  )

  it('a body over 1 MiB is refused before it is read', async () => {
    const answer = await endpoint
      .signedCall({
        method: 'POST',
        path: '/things',
        headers: {'content-length': String(5 << 20)},
        body: 'x'.repeat(1000),
      })
      .catch((error) => error)

    expect(answer).toMatchObject({status: 413})
  })

  it('a chunked body over 1 MiB is refused', async () => {
    const head = `POST /things HTTP/1.1\r\nhost: 127.0.0.1:${endpoint.http.port}\r\ntransfer-encoding: chunked\r\n\r\n`
    const chunk = `10000\r\n${'x'.repeat(0x10000)}\r\n`

    expect(await raw(head + chunk.repeat(40))).toMatch(/^HTTP\/1.1 413 /)
  })

  it.each([
    ['garbage', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc'],
    ['a Kafka request', '\x00\x00\x00\x10\x00\x12\x00\x00\x00\x00\x00\x01\x00\x00'],
    ['a header without end', `GET / HTTP/1.1\r\nhost: ${'x'.repeat(100_000)}\r\n\r\n`],
    ['two hosts', 'GET /things/x HTTP/1.1\r\nhost: localhost\r\nhost: localhost\r\n\r\n'],
    ['an absolute target', 'GET http://localhost/things/x HTTP/1.1\r\nhost: localhost\r\n\r\n'],
    ['a tunnel', 'CONNECT evil.example:443 HTTP/1.1\r\nhost: localhost\r\n\r\n'],
    [
      'both lengths',
      'POST /things HTTP/1.1\r\nhost: localhost\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n',
    ],
  ])('%s closes only that connection', async (_, bytes) => {
    const reply = await raw(bytes.replaceAll('localhost', `localhost:${endpoint.http.port}`))

    expect(reply).toMatch(/^(HTTP\/1.1 4|$)/)
    expect((await endpoint.signedCall({})).status).toBe(200)
  })

  it('whatever the path, query and headers, the answer is an error of AWS and the next request is served', async () => {
    const segment = fc.string({unit: fc.constantFrom(...'ab%2Fe./~:*+ü'), maxLength: 12})
    const headers = fc.dictionary(
      fc.constantFrom('authorization', 'x-amz-date', 'x-amz-content-sha256', 'x-amz-security-token', 'x-a'),
      fc.string({unit: fc.constantFrom(...'AWS4-HMAC-SHA256 Credential=/,;Signature=SignedHeaders=host0')}),
    )
    await fc.assert(
      fc.asyncProperty(segment, segment, headers, async (name, query, fuzzed) => {
        const path = encodeURI(`/things/${name}?${query}`).replaceAll('%25', '%')
        const answer = await endpoint.signedCall({path, change: (headers) => ({...headers, ...fuzzed})})
        if (answer.status !== 200) expect(answer.body).toMatchObject({__type: expect.any(String), message: expect.any(String)})
        expect(answer.status).not.toBe(500)
      }),
      {numRuns: 300},
    )

    expect((await endpoint.signedCall({})).status).toBe(200)
  })
})

/** What the server answers to these bytes until it closes the connection, or has been silent for 300 ms. */
function raw(bytes: string): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(endpoint.http.port, '127.0.0.1', () => socket.write(bytes, 'latin1'))
    let text = ''
    const finish = () => {
      socket.destroy()
      resolve(text)
    }
    socket.setTimeout(300, finish)
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1')
    })
    socket.on('close', finish)
    socket.on('error', finish)
  })
}

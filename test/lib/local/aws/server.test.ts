import {networkInterfaces} from 'node:os'
import {SignatureV4} from '@smithy/signature-v4'
import {afterEach, beforeEach, describe, expect, it} from 'vitest'
import {Sha256} from '../../../support/msk-token.js'
import {type Endpoint, NOW, READER, type Signing, startEndpoint} from '../../../support/signed-http.js'

const hasIpv6 = Object.values(networkInterfaces()).some((all) => all?.some(({address}) => address === '::1'))

let endpoint: Endpoint

beforeEach(async () => {
  endpoint = await startEndpoint()
})
afterEach(() => endpoint.http.close())

describe('a signed request', () => {
  it('is answered, its path decoded once', async () => {
    const {status, body} = await endpoint.signedCall({path: '/things/a%2Fb%3Ac%20d?x=1&x=2&y=%26', credentials: READER})

    expect({status, body}).toEqual({status: 200, body: {ok: true}})
    expect(endpoint.handled[0]?.path).toEqual({name: 'a/b:c d'})
    expect([...endpoint.handled[0]!.query]).toEqual([
      ['x', ['1', '2']],
      ['y', ['&']],
    ])
  })

  it('does not decode twice', async () => {
    await endpoint.signedCall({path: '/things/%252e%252e'})

    expect(endpoint.handled[0]?.path).toEqual({name: '%2e%2e'})
  })

  it('may have a body, whose members cannot reach a prototype', async () => {
    const {status} = await endpoint.signedCall({
      method: 'POST',
      path: '/things',
      body: '{"__proto__": {"polluted": true}, "a": [1]}',
    })

    expect(status).toBe(200)
    expect(endpoint.handled[0]?.body['a']).toEqual([1])
    expect(Object.getPrototypeOf(endpoint.handled[0]?.body)).toBeNull()
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined()
  })

  it.each(['localhost', '[::1]'])('may come to %s', async (name) => {
    expect((await endpoint.signedCall({headers: {host: `${name}:${endpoint.http.port}`}})).status).toBe(200)
  })

  it.skipIf(!hasIpv6)('is answered on IPv6 too', async () => {
    expect((await endpoint.signedCall({family: 6})).status).toBe(200)
  })

  it.each([
    ['no Authorization', {change: ({authorization: _, ...rest}) => rest}, 'MissingAuthenticationTokenException'],
    [
      'Basic authorization',
      {change: (headers) => ({...headers, authorization: 'Basic dGVzdDp0ZXN0'})},
      'IncompleteSignatureException',
    ],
    [
      'no signature',
      {change: (headers) => ({...headers, authorization: headers['authorization']!.replace(/, Signature.*/, '')})},
      'IncompleteSignatureException',
    ],
    [
      'two signatures',
      {change: (headers) => ({...headers, authorization: `${headers['authorization']}, Signature=00`})},
      'IncompleteSignatureException',
    ],
    [
      'a broken credential',
      {change: (headers) => ({...headers, authorization: headers['authorization']!.replace('/kafka/', '/')})},
      'IncompleteSignatureException',
    ],
    ['an unknown key', {credentials: {accessKeyId: 'nobody', secretAccessKey: 'x'}}, 'UnrecognizedClientException'],
    [
      'a session token where none belongs',
      {credentials: {accessKeyId: 'test', secretAccessKey: 'test', sessionToken: 'x'}},
      'UnrecognizedClientException',
    ],
    [
      'no session token where one belongs',
      {credentials: {accessKeyId: 'READER', secretAccessKey: 'r'}},
      'UnrecognizedClientException',
    ],
    ['a wrong secret', {credentials: {accessKeyId: 'test', secretAccessKey: 'guess'}}, 'InvalidSignatureException'],
    ['another region', {region: 'eu-west-1'}, 'InvalidSignatureException'],
    ['another service', {service: 'kafka-cluster'}, 'InvalidSignatureException'],
    ['a clock six minutes behind', {signedAt: NOW - 360_000}, 'InvalidSignatureException'],
    ['a clock six minutes ahead', {signedAt: NOW + 360_000}, 'InvalidSignatureException'],
    [
      'another day in the scope',
      {change: (headers) => ({...headers, authorization: headers['authorization']!.replace('20261121', '20261120')})},
      'InvalidSignatureException',
    ],
    ['no date', {change: ({'x-amz-date': _, ...rest}) => rest}, 'InvalidSignatureException'],
    ['an unsigned x-amz- header', {change: (headers) => ({...headers, 'x-amz-target': 'x'})}, 'InvalidSignatureException'],
    [
      'an unsigned host',
      {change: (headers) => ({...headers, authorization: headers['authorization']!.replace('host;', '')})},
      'InvalidSignatureException',
    ],
    [
      'a signed header that is missing',
      {headers: {'x-a': '1'}, change: ({'x-a': _, ...rest}) => rest},
      'InvalidSignatureException',
    ],
    ['a changed header', {headers: {'x-a': '1'}, change: (headers) => ({...headers, 'x-a': '2'})}, 'InvalidSignatureException'],
    [
      'an unsigned payload',
      {change: (headers) => ({...headers, 'x-amz-content-sha256': 'UNSIGNED-PAYLOAD'})},
      'InvalidSignatureException',
    ],
  ] as [string, Signing, string][])('with %s is refused', async (_, signing, type) => {
    const answer = await endpoint.signedCall(signing)

    expect(answer).toMatchObject({status: 403, type, body: {__type: type, message: expect.any(String)}})
    expect(endpoint.handled).toEqual([])
  })

  it('with another body, method, path or query than was signed is refused', async () => {
    const signing = {method: 'POST', path: '/things', body: '{"a":1}'}
    const headers = await endpoint.signedHeaders(signing)

    const changed = [{body: '{"a":2}'}, {path: '/things?a=1'}, {method: 'PUT'}]

    for (const change of changed) {
      expect(await endpoint.call({...signing, ...change, headers})).toMatchObject({
        status: 403,
        type: 'InvalidSignatureException',
      })
    }
    expect((await endpoint.call({...signing, headers})).status).toBe(200)
  })

  it('as a presigned URL is refused', async () => {
    const credentials = {accessKeyId: 'test', secretAccessKey: 'test'}
    const signer = new SignatureV4({service: 'kafka', region: 'us-east-1', credentials, sha256: Sha256 as never})
    const request = {
      method: 'GET',
      protocol: 'http:',
      hostname: '127.0.0.1',
      path: '/things/x',
      headers: {host: `127.0.0.1:${endpoint.http.port}`},
    }
    const {query} = await signer.presign(request, {signingDate: new Date(NOW)})

    const answer = await endpoint.call({path: `/things/x?${new URLSearchParams(query as Record<string, string>)}`})

    expect(answer).toMatchObject({status: 403, type: 'MissingAuthenticationTokenException'})
  })

  it('without the permission is refused in the words of AWS, and logged', async () => {
    const read = await endpoint.signedCall({credentials: READER, path: '/things/other'})
    const write = await endpoint.signedCall({credentials: READER, method: 'POST', path: '/things', body: '{}'})

    expect(read).toMatchObject({status: 403, type: 'AccessDeniedException'})
    expect(read.body.message).toBe(
      'User: arn:aws:iam::123456789012:user/reader is not authorized to perform: kafka:Read on resource: other',
    )
    expect(write.body.message).toContain('kafka:Write on resource: *')
    expect(endpoint.logged).toHaveLength(2)
    expect(endpoint.handled).toEqual([])
  })

  it.each([
    ['text', 'hello'],
    ['a list', '[]'],
    ['null', 'null'],
    ['half a document', '{"a": '],
    ['bytes that are not UTF-8', Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d])],
    ['a deep document', `{"a":${'['.repeat(100_000)}${']'.repeat(100_000)}}`],
  ])('with %s as body is refused', async (_, body) => {
    expect(await endpoint.signedCall({method: 'POST', path: '/things', body})).toMatchObject({
      status: 400,
      type: 'SerializationException',
    })
  })

  it('does not count brackets in strings as depth', async () => {
    expect(
      (await endpoint.signedCall({method: 'POST', path: '/things', body: JSON.stringify({a: `"\\${'['.repeat(500)}`})})).status,
    ).toBe(200)
  })

  it('whose handler has a bug is answered with 500 and logged', async () => {
    expect(await endpoint.signedCall({path: '/broken'})).toMatchObject({
      status: 500,
      type: 'InternalServerErrorException',
      body: {message: 'Internal failure.'},
    })
    expect(endpoint.logged).toEqual([expect.stringContaining('TypeError: a bug')])
  })
})

it('a taken port is told', async () => {
  await expect(startEndpoint(endpoint.http.port)).rejects.toMatchObject({code: 'EADDRINUSE'})
})

it('after close the port is free', async () => {
  const {port} = endpoint.http
  await endpoint.http.close()

  endpoint = await startEndpoint(port)

  expect(endpoint.http.port).toBe(port)
})

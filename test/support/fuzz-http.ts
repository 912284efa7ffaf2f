import {connect} from 'node:net'
import {SignatureV4} from '@smithy/signature-v4'
import fc from 'fast-check'

import type {FuzzedStack} from './fuzz-stack.js'
import {Sha256} from './msk-token.js'

type Request = {method: string; path: string; headers: Record<string, string>; expectsContinue: boolean; body: string}
type Answer = {status: number; errorType: string | undefined; body: string}

const ARN = 'arn:aws:kafka:us-east-1:123456789012:cluster/local/abc-s1'

/** What no client means: ways out of a path, half an escape, a null byte, what JavaScript objects have. */
const ODD = [
  '%2e%2e',
  '..',
  '%2f',
  '%00',
  '%',
  '%zz',
  '__proto__',
  'constructor',
  'toString',
  '💥',
  '*',
  '',
  ' ',
  'a'.repeat(3_000),
  ARN,
  encodeURIComponent(ARN),
]

const percentEncoded = (character: string): string => Buffer.from(character).toString('hex').replace(/../g, '%$&')

/** Where the handlers are, by method; `{}` is any segment. */
const ROUTES: Record<string, readonly string[]> = {
  GET: [
    '/api/v2/clusters',
    '/api/v2/clusters/{}',
    '/v1/clusters/{}/bootstrap-brokers',
    '/v1/tags/{}',
    '/2015-03-31/functions',
    '/2015-03-31/functions/{}',
    '/2015-03-31/event-source-mappings',
    '/2015-03-31/event-source-mappings/{}',
  ],
  POST: [
    '/api/v2/clusters',
    '/v1/tags/{}',
    '/2015-03-31/functions',
    '/2015-03-31/functions/{}/invocations',
    '/2015-03-31/event-source-mappings',
  ],
  PUT: ['/2015-03-31/functions/{}/configuration', '/2015-03-31/functions/{}/code', '/2015-03-31/event-source-mappings/{}'],
  DELETE: ['/v1/clusters/{}', '/v1/tags/{}', '/2015-03-31/functions/{}', '/2015-03-31/event-source-mappings/{}'],
}
const STRAYS = ['/_skk/{}', '/{}/{}/{}', '/v1/clusters/{}/topics']

const operation = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.constantFrom(...Object.entries(ROUTES).flatMap(([method, routes]) => routes.map((route) => ({method, route})))),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      method: fc.constantFrom('GET', 'POST', 'PUT', 'DELETE', 'PATCH', 'HEAD'),
      route: fc.constantFrom(...STRAYS),
    }),
  },
)

const segment = fc.oneof(
  fc.constantFrom('v1', 'clusters', 'health', 'stop', 'function', 'local'),
  fc.constantFrom(...ODD),
  fc.string({maxLength: 12}),
)
const query = fc.array(fc.tuple(segment, segment), {maxLength: 3})

function pathOf(route: string, segments: readonly string[], query: readonly [string, string][]): string {
  const names = [...segments]
  const filled = route.replaceAll('{}', () => names.pop()!)
  const text = `${filled}${query.length > 0 ? `?${query.map((pair) => pair.join('=')).join('&')}` : ''}`
  return text.replace(/[^!-~]/gu, percentEncoded)
}

const value = fc.oneof(fc.jsonValue({maxDepth: 4}), fc.constantFrom<unknown>(null, -1, 1e308, [], {}, 'a'.repeat(70_000), ARN))
const body = fc.oneof(
  fc
    .dictionary(
      fc.constantFrom(
        'clusterName',
        'FunctionName',
        'Code',
        'Topics',
        'serverless',
        'provisioned',
        'tags',
        'vpcConfigs',
        '__proto__',
        'constructor',
      ),
      value,
    )
    .map((object) => JSON.stringify(object)),
  fc.constantFrom(
    '',
    'null',
    '[]',
    '"text"',
    '{"clusterName":',
    '{"__proto__":{"clusterName":"polluted"}}',
    '{"clusterName":"a","clusterName":"b"}',
    '['.repeat(100_000),
    '{"a":'.repeat(50_000),
    `{"clusterName":"${'x'.repeat(900_000)}"}`,
    `{"serverless":{"vpcConfigs":[${'{},'.repeat(10_000)}{}]}}`,
    '\ufeff{}',
  ),
  fc.json(),
)

const headers = fc.dictionary(
  fc.constantFrom(
    'content-type',
    'x-amz-target',
    'accept',
    'x-amz-content-sha256',
    'x-amz-invocation-type',
    'expect',
    'x-skk-token',
  ),
  fc.constantFrom('application/json', 'text/xml', 'multipart/form-data; boundary=x', 'UNSIGNED-PAYLOAD', ';;;', ''),
  {maxKeys: 2},
)

const requests: fc.Arbitrary<Request> = fc
  .tuple(operation, fc.array(segment, {minLength: 3, maxLength: 3}), query, headers, fc.boolean(), body)
  .map(([{method, route}, segments, query, headers, expectsContinue, body]) => {
    return {method, path: pathOf(route, segments, query), headers, expectsContinue, body}
  })

/** What is done to the signed request before it is sent. */
const SPOILS: Record<string, (headers: Record<string, string>) => Record<string, string>> = {
  nothing: (headers) => headers,
  'no signature': ({authorization: _, ...headers}) => headers,
  'half a signature': (headers) => ({...headers, authorization: headers['authorization']!.slice(0, 60)}),
  'another signature': (headers) => ({
    ...headers,
    authorization: headers['authorization']!.replace(/Signature=.*/, 'Signature=0'),
  }),
  'an odd date': (headers) => ({...headers, 'x-amz-date': '99999999T999999Z'}),
  'odd signed headers': (headers) => ({
    ...headers,
    authorization: headers['authorization']!.replace(/SignedHeaders=[^,]*/, 'SignedHeaders=__proto__;;host'),
  }),
}

/**
 * Sends requests that are signed as AWS's SDK signs them but ask for the impossible, or whose signature was spoiled. Throws
 * unless each is answered, and each that is refused with an error in AWS's shape.
 */
export async function fuzzHttp(stack: FuzzedStack, {runs, seed}: {runs: number; seed: number}): Promise<void> {
  const cases = fc.tuple(requests, fc.constantFrom(...Object.keys(SPOILS)), fc.boolean())
  await fc.assert(
    fc.asyncProperty(cases, async ([request, spoil, isChunked]) => {
      const headers = SPOILS[spoil]!(await signed(stack.endpoint, request))
      const answer = await send(stack.endpoint, {...request, headers}, isChunked)
      if (!isAnswer(answer, request.method))
        throw new Error(`answered with ${JSON.stringify(answer)}; the stack is ${stack.isAlive() ? 'alive' : 'dead'}`)
    }),
    {numRuns: runs, seed},
  )
}

/** A 4xx of AWS names its type in a header and in the body. HEAD has no body. */
function isAnswer({status, errorType, body}: Answer, method: string): boolean {
  if (status >= 200 && status < 300) return true
  if (status < 400 || status >= 500 || !errorType) return false
  if (method === 'HEAD') return body === ''
  const {message, __type} = JSON.parse(body)
  return typeof message === 'string' && __type === errorType
}

async function signed(endpoint: string, {method, path, headers, body}: Request): Promise<Record<string, string>> {
  const credentials = {accessKeyId: 'test', secretAccessKey: 'test'}
  const signer = new SignatureV4({
    service: path.startsWith('/2015') ? 'lambda' : 'kafka',
    region: 'us-east-1',
    credentials,
    sha256: Sha256 as never,
    uriEscapePath: true,
  })
  const [rawPath = '', rawQuery] = path.split('?')
  const parameters = [...new URLSearchParams(rawQuery)]
  const query: Record<string, string[]> = Object.create(null)
  for (const [name, value] of parameters) query[name] = [...(query[name] ?? []), value]
  const {host, hostname} = new URL(endpoint)
  const request = {method, protocol: 'http:', hostname, path: rawPath, query, headers: {...headers, host}, body}
  return (await signer.sign(request)).headers
}

/** As bytes on a socket: an HTTP client would put right what is wrong. */
function send(endpoint: string, {method, path, headers, expectsContinue, body}: Request, isChunked: boolean): Promise<Answer> {
  const {hostname, port} = new URL(endpoint)
  const bytes = Buffer.from(body)
  const framing = isChunked ? 'transfer-encoding: chunked' : `content-length: ${bytes.length}`
  const lines = Object.entries({...headers, ...(expectsContinue && {expect: '100-continue'}), connection: 'close'}).map(
    ([name, value]) => `${name}: ${value}`,
  )
  const head = `${[`${method} ${path} HTTP/1.1`, ...lines, framing].join('\r\n')}\r\n\r\n`
  const pieces = isChunked ? [`${bytes.length.toString(16)}\r\n`, bytes, bytes.length > 0 ? '\r\n0\r\n\r\n' : '\r\n'] : [bytes]
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), hostname, () =>
      socket.write(Buffer.concat([Buffer.from(head), ...pieces.map((piece) => Buffer.from(piece))])),
    )
    let text = ''
    let cut: Error | undefined
    socket.setTimeout(10_000, () => socket.destroy(new Error('no answer in 10 s')))
    socket.on('data', (chunk) => {
      text += chunk
    })
    socket.on('error', (error) => {
      cut = error
    })
    socket.on('close', () => (cut && text === '' ? reject(cut) : resolve(parse(text))))
  })
}

function parse(text: string): Answer {
  // `expect: 100-continue` is answered with two heads.
  const answer = text.replace(/^HTTP\/1\.1 100 Continue\r\n\r\n/, '')
  const [head = '', ...rest] = answer.split('\r\n\r\n')
  const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(head)?.[1])
  return {status, errorType: /^x-amzn-errortype: (.*)$/im.exec(head)?.[1], body: rest.join('\r\n\r\n')}
}

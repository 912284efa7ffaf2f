import {request as httpRequest} from 'node:http'
import {SignatureV4} from '@smithy/signature-v4'
import {type AwsRequest, type HttpServing, type Route, serveHttp} from '../../src/lib/local/aws/server.js'
import {loadIdentities} from '../../src/lib/local/iam-file.js'
import {Sha256} from './msk-token.js'

/** The AWS endpoint with a few made-up routes, and a client that signs with AWS's own signer. */

export const NOW = Date.parse('2026-11-21T10:00:00Z')
export const CONTROL_TOKEN = 'the-control-token'
export const READER = {accessKeyId: 'READER', secretAccessKey: 'r', sessionToken: 'reader-token'}

const known = await loadIdentities(undefined)
const reader = {
  ...READER,
  name: 'reader',
  principal: {
    arn: 'arn:aws:iam::123456789012:user/reader',
    accessKeyId: 'READER',
    allows: (action: string, resource: string) => action === 'kafka:Read' && resource === 'a/b:c d',
  },
}
const identities = {...known, find: (id: string) => (id === 'READER' ? reader : known.find(id))}

type Answer = {status: number; headers: NodeJS.Dict<string | string[]>; type: string | undefined; body: any}
type Call = {method?: string; path?: string; headers?: Record<string, string>; body?: string | Buffer; family?: 4 | 6}

export type Signing = Call & {
  credentials?: {accessKeyId: string; secretAccessKey: string; sessionToken?: string}
  region?: string
  service?: string
  signedAt?: number
  /** Spoils what was signed. */
  change?: (headers: Record<string, string>) => Record<string, string>
}

export type Endpoint = {
  http: HttpServing
  /** What reached a handler. */
  handled: AwsRequest[]
  logged: string[]
  /** How often the control route `stop` ran. */
  stops(): number
  call(call: Call): Promise<Answer>
  signedHeaders(signing: Signing): Promise<Record<string, string>>
  signedCall(signing: Signing): Promise<Answer>
}

export async function startEndpoint(port = 0): Promise<Endpoint> {
  const handled: AwsRequest[] = []
  const logged: string[] = []
  let stops = 0
  const stop = async () => {
    stops++
  }
  const http = await serveHttp({
    port,
    identities,
    region: 'us-east-1',
    routes: routesInto(handled),
    controlToken: CONTROL_TOKEN,
    control: {health: async () => ({pid: 1}), stop},
    now: () => NOW,
    log: (line) => logged.push(line),
  })
  const signedHeaders = (signing: Signing) => sign(http.port, signing)
  const signedCall = async ({change = (headers) => headers, ...signing}: Signing) =>
    send(http.port, {...signing, headers: change(await signedHeaders(signing))})
  return {http, handled, logged, stops: () => stops, call: (call) => send(http.port, call), signedHeaders, signedCall}
}

function routesInto(handled: AwsRequest[]): Route[] {
  const handle = (request: AwsRequest) => {
    handled.push(request)
    return {status: 200, body: {ok: true}}
  }
  const fail = () => {
    throw new TypeError('a bug')
  }
  const resource = (request: AwsRequest) => request.path['name']!
  return [
    {method: 'GET', path: '/things/{name}', service: 'kafka', action: 'kafka:Read', resource, handle},
    {method: 'POST', path: '/things', service: 'kafka', action: 'kafka:Write', handle},
    {method: 'PUT', path: '/things', service: 'kafka', action: 'kafka:Write', handle},
    {method: 'GET', path: '/broken', service: 'kafka', handle: fail},
  ]
}

function send(port: number, {method = 'GET', path = '/things/x', headers = {}, body, family = 4}: Call): Promise<Answer> {
  const host = family === 4 ? '127.0.0.1' : '::1'
  return new Promise((resolve, reject) => {
    const request = httpRequest({host, port, method, path, headers: {host: `127.0.0.1:${port}`, ...headers}}, (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk) => chunks.push(chunk))
      response.on('end', () => {
        const text = Buffer.concat(chunks).toString()
        const type = response.headers['x-amzn-errortype'] as string | undefined
        resolve({status: response.statusCode!, headers: response.headers, type, body: text === '' ? undefined : JSON.parse(text)})
      })
    })
    request.on('error', reject)
    request.end(body)
  })
}

async function sign(
  port: number,
  {method = 'GET', path = '/things/x', body, ...signing}: Signing,
): Promise<Record<string, string>> {
  const {region = 'us-east-1', service = 'kafka', signedAt = NOW} = signing
  const credentials = signing.credentials ?? {accessKeyId: 'test', secretAccessKey: 'test'}
  const signer = new SignatureV4({service, region, credentials, sha256: Sha256 as never})
  const [rawPath, rawQuery] = path.split('?')
  const parameters = new URLSearchParams(rawQuery)
  const query = Object.fromEntries([...parameters.keys()].map((name) => [name, parameters.getAll(name)]))
  const headers = {host: `127.0.0.1:${port}`, ...signing.headers}
  const request = {method, protocol: 'http:', hostname: '127.0.0.1', path: rawPath!, query, headers, body}
  return (await signer.sign(request, {signingDate: new Date(signedAt)})).headers
}

import {randomUUID} from 'node:crypto'
import {createServer, type IncomingMessage, type Server, type ServerResponse} from 'node:http'
import type {AddressInfo} from 'node:net'
import {SkkError} from '../../errors.js'
import type {Identities} from '../iam-file.js'
import type {Principal} from '../kafka/authorize.js'
import {AwsError} from './error.js'
import {parseJsonObject} from './json.js'
import {authenticateRequest} from './signed-request.js'
import {equalInConstantTime, type Parameter, parseQuery} from './sigv4.js'

export type AwsRequest = {
  /** The variable segments of the path, percent-decoded once. */
  path: Readonly<Record<string, string>>
  /** Every value of every query parameter, in the order received. */
  query: ReadonlyMap<string, readonly string[]>
  /** The JSON body, an object without prototype; empty when there was none, or when the route takes it as it is. */
  body: Readonly<Record<string, unknown>>
  /** The body as it came. */
  payload: Buffer
  /** The value of a header, by its name in lower case. */
  header(name: string): string | undefined
}

/** With `payload`, an answer whose body is these bytes, JSON that somebody else wrote. */
export type AwsResponse = {status: number; body?: unknown; payload?: Buffer; headers?: Readonly<Record<string, string>>}

export type Route = {
  method: 'GET' | 'POST' | 'PUT' | 'DELETE'
  /** Such as `/v1/clusters/{clusterArn}/bootstrap-brokers`. */
  path: string
  /** The signing name. */
  service: string
  /** The IAM action, such as `kafka:DeleteCluster`, and what it acts on; without it every known key may call. */
  action?: string
  resource?(request: AwsRequest): string
  /** The largest body, 1 MiB by default. */
  maxBodyBytes?: number
  /** The body may be anything and is not parsed; the answer may take as long as a function runs. */
  passesThrough?: boolean
  /** @throws AwsError */
  handle(request: AwsRequest): AwsResponse | Promise<AwsResponse>
}

/** The stack's own routes, by name; each is given the JSON object that was sent, and throws SkkError for what is wrong with it. */
export type Control = Readonly<Record<string, (input: Readonly<Record<string, unknown>>) => Promise<unknown>>>

export type HttpOptions = {
  /** 0 picks one. */
  port: number
  identities: Identities
  region: string
  routes: readonly Route[]
  /** The random token that a call of `control` carries in the header `x-skk-token`. */
  controlToken: string
  /** What `/_skk/NAME` runs, by its name; answered with what it returns, as JSON. */
  control: Control
  /** Epoch milliseconds. */
  now?(): number
  log?(line: string): void
}

export type HttpServing = {port: number; close(): Promise<void>}

const CONTROL_TOKEN_HEADER = 'x-skk-token'

const MAX_BODY_BYTES = 1024 * 1024
/** A socket of a slow answer may rest so long: 15 minutes, Lambda's longest timeout, and a start. */
const SLOW_MS = 16 * 60_000
const LOOPBACK_NAMES = ['127.0.0.1', 'localhost', '[::1]']

/**
 * The AWS endpoint of the stack, on 127.0.0.1 and, where the machine has it, ::1.
 *
 * @throws the listening error, such as EADDRINUSE, when `port` is not free on both
 */
export async function serveHttp(options: HttpOptions): Promise<HttpServing> {
  for (let attempt = 1; ; attempt++) {
    const servers: Server[] = []
    try {
      servers.push(await listen(options, '127.0.0.1', options.port))
      const {port} = servers[0]!.address() as AddressInfo
      servers.push(...(await listenOnIpv6(options, port)))
      return {port, close: async () => void (await Promise.all(servers.map(close)))}
    } catch (error) {
      await Promise.all(servers.map(close))
      const taken = (error as NodeJS.ErrnoException).code === 'EADDRINUSE'
      // The free port that IPv4 gave may be somebody's on IPv6.
      if (!taken || options.port !== 0 || attempt === 10) throw error
    }
  }
}

async function listenOnIpv6(options: HttpOptions, port: number): Promise<Server[]> {
  try {
    return [await listen(options, '::1', port)]
  } catch (error) {
    if (['EADDRNOTAVAIL', 'EAFNOSUPPORT'].includes((error as NodeJS.ErrnoException).code ?? '')) return []
    throw error
  }
}

function listen(options: HttpOptions, host: string, port: number): Promise<Server> {
  const limits = {headersTimeout: 10_000, requestTimeout: 30_000, connectionsCheckingInterval: 1000, maxHeaderSize: 16 * 1024}
  const server = createServer(limits, (request, response) => void answer(request, response, options))
  server.maxConnections = 256
  // Node would answer an unknown expectation by itself, without AWS's shape.
  server.on('checkExpectation', (request, response) => void answer(request, response, options))
  // A client that neither sends nor reads.
  server.timeout = 60_000
  server.on('clientError', (_error, socket) => {
    if (socket.writable) socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n')
    else socket.destroy()
  })
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen({host, port, ipv6Only: host === '::1'}, () => {
      server.off('error', reject)
      resolve(server)
    })
  })
}

/** Lets the answers under way out for a second. */
function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    const force = setTimeout(() => server.closeAllConnections(), 1000)
    server.close(() => {
      clearTimeout(force)
      resolve()
    })
    server.closeIdleConnections()
  })
}

async function answer(request: IncomingMessage, response: ServerResponse, options: HttpOptions): Promise<void> {
  try {
    send(response, await respond(request, options))
  } catch (error) {
    const known = error instanceof AwsError
    if (!known) options.log?.(`error: ${request.method} ${JSON.stringify(request.url?.slice(0, 200))}: ${(error as Error).stack}`)
    const {status, type, message, members, headers} = known
      ? error
      : new AwsError(500, 'InternalServerErrorException', 'Internal failure.')
    response.setHeader('x-amzn-errortype', type)
    // Node reads the rest of a refused request, so that a client that is still writing gets to the answer; but not of a huge one.
    if (status === 413) response.setHeader('connection', 'close')
    send(response, {status, headers, body: {__type: type, message, ...members}})
  }
}

function send(response: ServerResponse, {status, body, payload, headers}: AwsResponse): void {
  if (response.destroyed) return
  const bytes = payload ?? (body === undefined ? Buffer.alloc(0) : Buffer.from(JSON.stringify(body)))
  response.writeHead(status, {
    'content-length': bytes.length,
    ...(bytes.length > 0 && {'content-type': 'application/json'}),
    'x-amzn-requestid': randomUUID(),
    ...headers,
    'x-content-type-options': 'nosniff',
    'cache-control': 'no-store',
  })
  response.end(bytes)
}

async function respond(request: IncomingMessage, options: HttpOptions): Promise<AwsResponse> {
  const headers = pairUp(request.rawHeaders)
  refuseBrowsers(headers, request.socket.localPort!)
  const [, rawPath, rawQuery = ''] = /^(\/[^?#]*)(?:\?(.*))?$/.exec(request.url ?? '') ?? []
  if (rawPath === undefined) throw new AwsError(400, 'BadRequestException', 'The request target is not a path.')
  if (rawPath.startsWith('/_skk/'))
    return {status: 200, body: (await runControl(rawPath.slice(6), request, headers, options)) ?? {}}

  const method = request.method ?? ''
  const {route, path} = findRoute(options.routes, method, rawPath)
  const payload = await readBody(request, route.maxBodyBytes ?? MAX_BODY_BYTES)
  if (route.passesThrough) request.socket.setTimeout(SLOW_MS)
  const verification = {
    identities: options.identities,
    region: options.region,
    service: route.service,
    now: (options.now ?? Date.now)(),
  }
  const principal = authenticateRequest({method, rawPath, rawQuery, headers, body: payload}, verification)
  const awsRequest: AwsRequest = {
    path,
    query: groupByName(parseQuery(rawQuery) ?? []),
    body: parseJsonObject(route.passesThrough ? Buffer.alloc(0) : payload),
    payload,
    header: (wanted) => headers.find(([name]) => name.toLowerCase() === wanted)?.[1],
  }
  authorize(principal, route, awsRequest, options)
  return route.handle(awsRequest)
}

const pairUp = (raw: readonly string[]) =>
  raw.flatMap((name, index): Parameter[] => (index % 2 === 0 ? [[name, raw[index + 1]!]] : []))

/**
 * No page in a browser may talk to the stack, whatever name it was led here by (DNS rebinding): the Host must be
 * loopback's own, and there is no CORS.
 */
function refuseBrowsers(headers: readonly Parameter[], port: number): void {
  const values = (wanted: string) =>
    headers.filter(([name]) => name.toLowerCase() === wanted).map(([, value]) => value.toLowerCase())
  const forbidden = (message: string) => new AwsError(403, 'ForbiddenException', message)
  const hosts = values('host')
  if (hosts.length !== 1 || !LOOPBACK_NAMES.some((name) => hosts[0] === `${name}:${port}`)) {
    throw forbidden(`The Host header must be 127.0.0.1:${port}, localhost:${port} or [::1]:${port}.`)
  }
  if (values('origin').length > 0 || values('sec-fetch-site').some((site) => site !== 'none')) {
    throw forbidden('skk local does not answer web pages.')
  }
}

async function runControl(
  name: string,
  request: IncomingMessage,
  headers: readonly Parameter[],
  {control, controlToken}: HttpOptions,
): Promise<unknown> {
  const token = headers.find(([header]) => header.toLowerCase() === CONTROL_TOKEN_HEADER)?.[1]
  if (token === undefined || !equalInConstantTime(controlToken, token)) {
    throw new AwsError(403, 'ForbiddenException', `The header ${CONTROL_TOKEN_HEADER} is not that of this stack.`)
  }
  if (!Object.hasOwn(control, name)) throw new AwsError(404, 'NotFoundException', 'There is no such control route.')
  const input = parseJsonObject(await readBody(request, MAX_BODY_BYTES))
  try {
    return await control[name]!(input)
  } catch (error) {
    if (error instanceof SkkError) throw new AwsError(400, 'BadRequestException', error.message)
    throw error
  }
}

function findRoute(routes: readonly Route[], method: string, rawPath: string) {
  const segments = decodeSegments(rawPath)
  for (const route of routes) {
    const path = route.method === method ? matchPath(route.path, segments) : undefined
    if (path) return {route, path}
  }
  throw new AwsError(404, 'UnknownOperationException', 'skk local does not know this operation.')
}

/** Decoded once: an ARN is one segment, its slashes are `%2F`. */
function decodeSegments(rawPath: string): string[] {
  try {
    return rawPath.split('/').map(decodeURIComponent)
  } catch {
    throw new AwsError(400, 'BadRequestException', 'The path is not well formed.')
  }
}

function matchPath(pattern: string, segments: readonly string[]): Record<string, string> | undefined {
  const wanted = pattern.split('/')
  if (wanted.length !== segments.length) return undefined
  const path: Record<string, string> = {}
  for (const [index, name] of wanted.entries()) {
    const segment = segments[index]!
    if (name.startsWith('{') && segment !== '') path[name.slice(1, -1)] = segment
    else if (name !== segment) return undefined
  }
  return path
}

async function readBody(request: IncomingMessage, maxBytes: number): Promise<Buffer> {
  const tooLarge = new AwsError(413, 'RequestEntityTooLargeException', `The body is larger than ${maxBytes} bytes.`)
  if (Number(request.headers['content-length'] ?? 0) > maxBytes) throw tooLarge
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    let size = 0
    request.on('data', (chunk: Buffer) => {
      size += chunk.length
      if (size <= maxBytes) chunks.push(chunk)
      else {
        request.pause()
        reject(tooLarge)
      }
    })
    request.on('end', () => resolve(Buffer.concat(chunks)))
    request.on('error', () => reject(new AwsError(400, 'BadRequestException', 'The body ended early.')))
  })
}

function groupByName(parameters: readonly Parameter[]): Map<string, string[]> {
  const grouped = new Map<string, string[]>()
  for (const [name, value] of parameters) grouped.set(name, [...(grouped.get(name) ?? []), value])
  return grouped
}

function authorize(principal: Principal, route: Route, request: AwsRequest, {log}: HttpOptions): void {
  if (route.action === undefined) return
  const resource = route.resource?.(request) ?? '*'
  if (principal.allows(route.action, resource)) return
  const message = `User: ${principal.arn} is not authorized to perform: ${route.action} on resource: ${resource}`
  log?.(`denied: ${JSON.stringify(message)}`)
  throw new AwsError(403, 'AccessDeniedException', message)
}

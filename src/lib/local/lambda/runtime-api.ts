import {createServer, type IncomingMessage, type Server, type ServerResponse} from 'node:http'
import type {AddressInfo} from 'node:net'

/** What the Runtime API hands to the process that asks for the next invocation. */
type NextInvocation = {
  requestId: string
  payload: Buffer
  /** Epoch milliseconds. */
  deadlineMs: number
  functionArn: string
  traceId: string
  clientContext: string | undefined
}

export type RuntimeEvents = {
  /** The process asks for work: what came before is over. */
  next(): void
  /** Returns whether there is such an invocation. */
  response(requestId: string, payload: Buffer): boolean
  error(requestId: string, payload: Buffer): boolean
  initError(payload: Buffer): void
}

export type RuntimeApi = {
  port: number
  /** Answers the process that asked for the next invocation, now or when it asks. */
  give(invocation: NextInvocation): void
  close(): void
}

/** Of an answer, in bytes (Lambda quotas: 6 MB for synchronous invocations). */
const MAX_RESPONSE_BYTES = 6_291_556
const ROOT = '/2018-06-01/runtime'

/**
 * The Lambda Runtime API (2018-06-01) of one sandbox, on a loopback port of its own: `/runtime/invocation/next`,
 * `/runtime/invocation/ID/response`, `/runtime/invocation/ID/error`, `/runtime/init/error`.
 */
export async function serveRuntimeApi(events: RuntimeEvents): Promise<RuntimeApi> {
  let asking: ServerResponse | undefined
  let given: NextInvocation | undefined
  const hand = () => {
    if (!asking || !given) return
    const {requestId, deadlineMs, functionArn, traceId, clientContext, payload} = given
    asking.writeHead(200, {
      'content-type': 'application/json',
      'content-length': payload.length,
      'lambda-runtime-aws-request-id': requestId,
      'lambda-runtime-deadline-ms': deadlineMs,
      'lambda-runtime-invoked-function-arn': functionArn,
      'lambda-runtime-trace-id': traceId,
      ...(clientContext !== undefined && {'lambda-runtime-client-context': clientContext}),
    })
    asking.end(payload)
    asking = given = undefined
  }
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    // A web page can reach every port of loopback, but not without saying that it is one.
    if (request.headers.origin !== undefined || request.headers['sec-fetch-site'] !== undefined) return reply(response, 403)
    const path = request.url ?? ''
    if (request.method === 'GET' && path === `${ROOT}/invocation/next`) {
      asking = response
      events.next()
      return hand()
    }
    const [, requestId, what] = /^\/2018-06-01\/runtime\/invocation\/([^/]+)\/(response|error)$/.exec(path) ?? []
    if (request.method !== 'POST' || (requestId === undefined && path !== `${ROOT}/init/error`)) return reply(response, 404)
    const payload = await readAll(request)
    if (!payload) return reply(response, 413, 'RequestEntityTooLarge')
    if (requestId === undefined) events.initError(payload)
    else if (!(what === 'response' ? events.response : events.error)(requestId, payload))
      return reply(response, 400, 'InvalidRequestID')
    reply(response, 202)
  }
  // The process keeps its connection while the function runs, however long: closed in between, the answer would meet a reset.
  const server = createServer({requestTimeout: 0, keepAliveTimeout: 0}, (request, response) => {
    answer(request, response).catch(() => response.destroy())
  })
  const port = await listen(server)
  return {
    port,
    give: (invocation) => {
      given = invocation
      hand()
    },
    close: () => {
      server.close()
      server.closeAllConnections()
    },
  }
}

function reply(response: ServerResponse, status: number, errorType?: string): void {
  const body = errorType === undefined ? {status: status === 202 ? 'OK' : 'ERROR'} : {errorMessage: errorType, errorType}
  response.writeHead(status, {'content-type': 'application/json'})
  response.end(JSON.stringify(body))
}

/** Undefined when there is more than an answer may have; the rest is read, so that the sender can read our reply. */
async function readAll(request: IncomingMessage): Promise<Buffer | undefined> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size <= MAX_RESPONSE_BYTES) chunks.push(chunk)
    else chunks.length = 0
  }
  return size <= MAX_RESPONSE_BYTES ? Buffer.concat(chunks) : undefined
}

function listen(server: Server): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen({host: '127.0.0.1', port: 0}, () => resolve((server.address() as AddressInfo).port))
  })
}

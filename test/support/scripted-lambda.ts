import {randomUUID} from 'node:crypto'
import {createServer, type IncomingMessage, type ServerResponse} from 'node:http'
import type {AddressInfo} from 'node:net'

/** The mappings' part of Lambda's REST API over real HTTP, whose limits and faults a test writes. Signatures are not checked. */

export const REGION = 'us-east-1'
const ACCOUNT = '123456789012'
export const CLUSTER = `arn:aws:kafka:${REGION}:${ACCOUNT}:cluster/demo/1a2b3c4d-1111-2222-3333-444455556666-s1`

type Operation = 'create' | 'get' | 'list' | 'update' | 'delete' | 'tags' | 'tag' | 'function'

/** What happens to a call instead of, or after, being carried out. */
export type Fault =
  | {status: number; type: string; message?: string; retryAfter?: number; apply?: boolean}
  /** The connection ends without an answer. */
  | {reset: true; apply?: boolean}

export const throttle = (retryAfter?: number): Fault => ({
  status: 429,
  type: 'TooManyRequestsException',
  message: 'Rate exceeded',
  ...(retryAfter !== undefined && {retryAfter}),
})

export const roleNotReady: Fault = {
  status: 400,
  type: 'InvalidParameterValueException',
  message: 'The role defined for the function cannot be assumed by Lambda.',
}

type Stored = {
  UUID: string
  FunctionArn: string
  EventSourceArn: string
  Topics: string[]
  State: string
  Tags: Record<string, string>
  [member: string]: unknown
}

export type ScriptedLambda = {
  url: string
  /** Everything that was asked, in its order. */
  calls: {operation: Operation; at: number; status: number}[]
  mappings: Map<string, Stored>
  /** The faults of the next calls of an operation, one each; undefined lets one pass. */
  script(operation: Operation, ...faults: (Fault | undefined)[]): void
  /** Puts a mapping there, as if somebody else had made it. */
  put(function_: string, topic: string, more?: Record<string, unknown>): Stored
  count(operation: Operation, status?: number): number
  close(): Promise<void>
}

export type ScriptOptions = {
  /** Calls a second, and at once, of all operations together; unlimited when left out. */
  limit?: {rate: number; burst: number; retryAfter?: number}
  createMs?: number
  updateMs?: number
  deleteMs?: number
  /** Of each answer, as a network has it. */
  latencyMs?: number
  /** What an enabled mapping says that it last did. */
  lastProcessingResult?: string
  /** Names of functions that do not exist. */
  missing?: string[]
}

export async function scriptedLambda(options: ScriptOptions = {}): Promise<ScriptedLambda> {
  const {limit, createMs = 0, updateMs = 0, deleteMs = 0, latencyMs = 0, missing = []} = options
  const {lastProcessingResult = 'No records processed'} = options
  const mappings = new Map<string, Stored>()
  const faults = new Map<Operation, (Fault | undefined)[]>()
  const calls: ScriptedLambda['calls'] = []
  let tokens = limit?.burst ?? 0
  let filledAt = performance.now()

  const admitted = (): boolean => {
    if (!limit) return true
    const now = performance.now()
    tokens = Math.min(limit.burst, tokens + ((now - filledAt) / 1000) * limit.rate)
    filledAt = now
    if (tokens < 1) return false
    tokens -= 1
    return true
  }
  const later = (ms: number, change: () => void): void => {
    if (ms === 0) change()
    else setTimeout(change, ms).unref()
  }
  const enabledOr = (enabled: unknown): string => (enabled === false ? 'Disabled' : 'Enabled')

  const store = (body: Record<string, unknown>, functionArn: string): Stored => {
    const {FunctionName: _, Enabled, StartingPositionTimestamp, Tags = {}, ...rest} = body
    const UUID = randomUUID()
    const stored = {
      BatchSize: 100,
      MaximumRetryAttempts: -1,
      MaximumRecordAgeInSeconds: -1,
      BisectBatchOnFunctionError: false,
      ...rest,
      ...(typeof StartingPositionTimestamp === 'number' && {StartingPositionTimestamp}),
      UUID,
      EventSourceMappingArn: `arn:aws:lambda:${REGION}:${ACCOUNT}:event-source-mapping:${UUID}`,
      FunctionArn: functionArn,
      State: 'Creating',
      LastProcessingResult: lastProcessingResult,
      LastModified: Date.now() / 1000,
      Tags,
    } as unknown as Stored
    mappings.set(UUID, stored)
    later(createMs, () => {
      stored.State = enabledOr(Enabled)
    })
    return stored
  }

  const create = (body: Record<string, any>): Answer => {
    const functionArn = arnOf(body.FunctionName)
    if (missing.includes(body.FunctionName))
      return refusal(404, 'ResourceNotFoundException', `Function not found: ${functionArn}`)
    const group = body.AmazonManagedKafkaEventSourceConfig?.ConsumerGroupId
    for (const other of mappings.values()) {
      const same =
        other.FunctionArn === functionArn && other.EventSourceArn === body.EventSourceArn && other.Topics[0] === body.Topics[0]
      const clash = group !== undefined && groupOf(other) === group
      if (!same && !clash) continue
      const what = same
        ? `event source arn ("${body.EventSourceArn}"), function ("${functionArn}") and topics ("${body.Topics[0]}")`
        : `amazonManagedKafkaEventSourceConfig.consumerGroupId ("${group}")`
      const hint = `Please update or delete the existing mapping with UUID ${other.UUID}`
      return refusal(409, 'ResourceConflictException', `An event source mapping with ${what} already exists. ${hint}`)
    }
    return {status: 202, body: store(body, functionArn)}
  }

  const update = (stored: Stored, body: Record<string, any>): Answer => {
    if (/ing$/.test(stored.State))
      return refusal(400, 'ResourceInUseException', 'Cannot update the event source mapping because it is in use.')
    const {Enabled, FunctionName: _, ...rest} = body
    const wasEnabled = stored.State === 'Enabled'
    Object.assign(stored, rest, {State: 'Updating', LastModified: Date.now() / 1000})
    later(updateMs, () => {
      stored.State = enabledOr(Enabled ?? wasEnabled)
    })
    return {status: 202, body: {...stored}}
  }

  const remove = (stored: Stored): Answer => {
    if (stored.State === 'Deleting') return refusal(400, 'ResourceInUseException', 'The mapping is being deleted.')
    stored.State = 'Deleting'
    later(deleteMs, () => mappings.delete(stored.UUID))
    return {status: 202, body: {...stored}}
  }

  const list = (query: URLSearchParams): Answer => {
    const all = [...mappings.values()].filter(
      (stored) =>
        (!query.get('EventSourceArn') || stored.EventSourceArn === query.get('EventSourceArn')) &&
        (!query.get('FunctionName') || stored.FunctionArn === arnOf(query.get('FunctionName')!)),
    )
    const from = Number(query.get('Marker') ?? 0)
    const page = all.slice(from, from + 100)
    return {
      status: 200,
      body: {EventSourceMappings: page.map(withoutTags), ...(all.length > from + 100 && {NextMarker: String(from + 100)})},
    }
  }

  const answer = (operation: Operation, url: URL, body: Record<string, any>): Answer => {
    const last = decodeURIComponent(url.pathname.split('/').at(-1)!)
    if (operation === 'create') return create(body)
    if (operation === 'list') return list(url.searchParams)
    if (operation === 'function') return functionAnswer(decodeURIComponent(url.pathname.split('/')[3]!), missing)
    const uuid = last.startsWith('arn:') ? last.split(':').at(-1)! : last
    const stored = mappings.get(uuid)
    if (!stored) return refusal(404, 'ResourceNotFoundException', 'The resource you requested does not exist.')
    if (operation === 'tags') return {status: 200, body: {Tags: stored.Tags}}
    if (operation === 'tag') {
      Object.assign(stored.Tags, body.Tags)
      return {status: 204, body: undefined}
    }
    if (operation === 'update') return update(stored, body)
    return operation === 'delete' ? remove(stored) : {status: 200, body: stored}
  }

  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const url = new URL(request.url!, 'http://lambda')
    const operation = operationOf(request.method!, url.pathname)
    const body = await read(request)
    const at = performance.now()
    const fault = faults.get(operation)?.shift()
    if (latencyMs > 0) await new Promise((resolve) => setTimeout(resolve, latencyMs))
    if (fault && 'reset' in fault) {
      if (fault.apply) answer(operation, url, body)
      calls.push({operation, at, status: 0})
      request.socket.destroy()
      return
    }
    if (fault?.apply) answer(operation, url, body)
    const given = fault
      ? refusal(fault.status, fault.type, fault.message ?? fault.type, fault.retryAfter)
      : admitted()
        ? answer(operation, url, body)
        : refusal(429, 'TooManyRequestsException', 'Rate exceeded', limit?.retryAfter)
    calls.push({operation, at, status: given.status})
    send(response, given)
  }

  const server = createServer((request, response) => void handle(request, response))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    calls,
    mappings,
    script: (operation, ...more) => void faults.set(operation, [...(faults.get(operation) ?? []), ...more]),
    put: (function_, topic, more = {}) => store({EventSourceArn: CLUSTER, Topics: [topic], ...more}, arnOf(function_)),
    count: (operation, status) =>
      calls.filter((call) => call.operation === operation && (status === undefined || call.status === status)).length,
    async close() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

type Answer = {status: number; body: unknown; headers?: Record<string, string>}

const arnOf = (name: string): string => (name.startsWith('arn:') ? name : `arn:aws:lambda:${REGION}:${ACCOUNT}:function:${name}`)

const groupOf = (stored: Stored): string | undefined =>
  (stored.AmazonManagedKafkaEventSourceConfig as {ConsumerGroupId?: string} | undefined)?.ConsumerGroupId

const withoutTags = ({Tags: _, ...stored}: Stored): Record<string, unknown> => stored

function functionAnswer(name: string, missing: readonly string[]): Answer {
  if (missing.includes(name)) return refusal(404, 'ResourceNotFoundException', `Function not found: ${arnOf(name)}`)
  return {
    status: 200,
    body: {FunctionArn: arnOf(name), State: 'Active', Timeout: 60, Role: `arn:aws:iam::${ACCOUNT}:role/${name}`},
  }
}

const refusal = (status: number, type: string, message: string, retryAfter?: number): Answer => ({
  status,
  body: {Type: 'User', message, ...(status === 429 && {Reason: 'CallerRateLimitExceeded'})},
  headers: {'x-amzn-errortype': type, ...(retryAfter !== undefined && {'retry-after': String(retryAfter)})},
})

function operationOf(method: string, path: string): Operation {
  if (path.includes('/tags/')) return method === 'GET' ? 'tags' : 'tag'
  if (path.includes('/functions/')) return 'function'
  if (/event-source-mappings\/?$/.test(path)) return method === 'POST' ? 'create' : 'list'
  return method === 'PUT' ? 'update' : method === 'DELETE' ? 'delete' : 'get'
}

async function read(request: IncomingMessage): Promise<Record<string, any>> {
  let text = ''
  for await (const chunk of request) text += chunk
  return text ? JSON.parse(text) : {}
}

function send(response: ServerResponse, {status, body, headers}: Answer): void {
  response.writeHead(status, {'content-type': 'application/json', ...headers})
  response.end(body === undefined ? '' : JSON.stringify(body))
}

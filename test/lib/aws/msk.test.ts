import {createServer, type IncomingMessage, type Server, type ServerResponse} from 'node:http'
import type {AddressInfo} from 'node:net'

import {afterEach, describe, expect, it} from 'vitest'

import {
  type Access,
  bootstrapBrokers,
  createCluster,
  deleteCluster,
  findCluster,
  listClusters,
  waitUntilActive,
  waitUntilGone,
} from '../../../src/lib/aws/msk.js'
import type {SkkError} from '../../../src/lib/errors.js'
import {cleanHome, type Home} from '../../support/skk.js'

const ARN = 'arn:aws:kafka:us-east-1:123456789012:cluster/demo/1-s1'
const NEW = {name: 'demo', subnets: ['subnet-1', 'subnet-2'], securityGroups: ['sg-1'], tags: {team: 'orders'}}
const sleep = async () => {}

type Answer = (request: IncomingMessage & {body: any}, response: ServerResponse) => unknown
let server: Server | undefined
let home: Home | undefined
afterEach(async () => {
  server?.closeAllConnections()
  server?.close()
  await home?.remove()
  ;[server, home] = [undefined, undefined]
})

const accessTo = (endpointUrl: string, over: Partial<Access> = {}): Access => ({
  region: 'us-east-1',
  endpointUrl,
  credentials: async () => ({accessKeyId: 'test', secretAccessKey: 'test'}),
  timeoutMs: 5_000,
  ...over,
})

/** An MSK API that answers each request with the next of these. */
async function scripted(...answers: Answer[]): Promise<{access: Access; requests: {method: string; url: string; body: any}[]}> {
  const requests: {method: string; url: string; body: any}[] = []
  server = createServer(async (request, response) => {
    let text = ''
    for await (const chunk of request) text += chunk
    const body = text ? JSON.parse(text) : undefined
    requests.push({method: request.method!, url: request.url!, body})
    response.setHeader('content-type', 'application/json')
    await (answers.length > 1 ? answers.shift()! : answers[0]!)(Object.assign(request, {body}), response)
  }).listen(0, '127.0.0.1')
  await new Promise((resolve) => server!.once('listening', resolve))
  return {access: accessTo(`http://127.0.0.1:${(server!.address() as AddressInfo).port}`), requests}
}

const answer =
  (status: number, body: object, headers: Record<string, string> = {}): Answer =>
  (_request, response) =>
    response.writeHead(status, headers).end(JSON.stringify(body))
const refuse = (status: number, type: string, message = 'no'): Answer => answer(status, {message}, {'x-amzn-errortype': type})
const hangUp: Answer = (request) => request.socket.destroy()
const created = answer(200, {clusterArn: ARN, clusterName: 'demo', state: 'CREATING', clusterType: 'SERVERLESS'})
const list = (...clusters: object[]) => answer(200, {clusterInfoList: clusters})
const cluster = (over: object = {}) => ({
  clusterArn: ARN,
  clusterName: 'demo',
  state: 'CREATING',
  clusterType: 'SERVERLESS',
  tags: {'skk:request-id': 'mine'},
  ...over,
})

const failure = async (promise: Promise<unknown>): Promise<SkkError> =>
  promise.then(
    () => expect.fail('it should have failed'),
    (error) => error,
  )

describe('against the embedded stack', () => {
  it('a cluster is created, waited for, found, listed, described with its brokers, and deleted', async () => {
    home = await cleanHome()
    const {endpoint} = await home.local({createDelayMs: 50})
    const access = accessTo(endpoint)

    const {arn, state} = await createCluster(access, NEW, {requestId: 'r-1'})
    expect(state).toBe('CREATING')
    expect(await failure(bootstrapBrokers(access, arn))).toMatchObject({exitCode: 5, code: 'CLUSTER_CREATING'})
    const states: string[] = []
    const active = await waitUntilActive(access, arn, {
      deadline: Date.now() + 10_000,
      pollMs: 10,
      onPoll: (c) => states.push(c.state),
    })

    expect(active).toMatchObject({
      name: 'demo',
      state: 'ACTIVE',
      type: 'SERVERLESS',
      tags: {team: 'orders', 'skk:request-id': 'r-1'},
    })
    expect(active.createdAt).toMatch(/^\d{4}-\d\d-\d\dT.*Z$/)
    expect(states[0]).toBe('CREATING')
    expect(await bootstrapBrokers(access, arn)).toMatch(/^127\.0\.0\.1:\d+$/)
    expect((await findCluster(access, 'demo')).arn).toBe(arn)
    expect((await listClusters(access)).map(({name}) => name)).toEqual(['demo', 'local'])
    expect(await failure(createCluster(access, NEW, {requestId: 'r-2'}))).toMatchObject({exitCode: 6, code: 'CLUSTER_EXISTS'})

    await deleteCluster(access, arn)
    await waitUntilGone(access, arn, {deadline: Date.now() + 10_000, pollMs: 10})
    expect(await failure(findCluster(access, arn))).toMatchObject({exitCode: 3, code: 'CLUSTER_NOT_FOUND'})
  })

  it('wrong keys are denied', async () => {
    home = await cleanHome()
    const {endpoint} = await home.local()
    const credentials = async () => ({accessKeyId: 'test', secretAccessKey: 'wrong'})

    expect(await failure(listClusters(accessTo(endpoint, {credentials})))).toMatchObject({exitCode: 4})
  })
})

describe('a create without an answer', () => {
  it.each([
    ['a connection that is reset', hangUp],
    ['a 500', refuse(500, 'InternalServerErrorException')],
    ['a 503', refuse(503, 'ServiceUnavailableException')],
  ])('after %s adopts the cluster that carries its tag', async (_name, lost) => {
    const {access, requests} = await scripted(lost, list(), list(cluster({clusterName: 'demo-2'}), cluster()))

    const made = await createCluster(access, NEW, {requestId: 'mine', sleep})

    expect(made.arn).toBe(ARN)
    expect(requests.map(({method}) => method)).toEqual(['POST', 'GET', 'GET'])
    expect(requests[0]!.body).toEqual({
      clusterName: 'demo',
      tags: {team: 'orders', 'skk:request-id': 'mine'},
      serverless: {
        vpcConfigs: [{subnetIds: ['subnet-1', 'subnet-2'], securityGroupIds: ['sg-1']}],
        clientAuthentication: {sasl: {iam: {enabled: true}}},
      },
    })
  })

  it('that never arrived is sent again, once', async () => {
    const {access, requests} = await scripted(hangUp, list(), list(), list(), created)

    expect((await createCluster(access, NEW, {requestId: 'mine', sleep})).arn).toBe(ARN)
    expect(requests.filter(({method}) => method === 'POST')).toHaveLength(2)
  })

  it('whose repetition meets a conflict adopts what the first one made', async () => {
    const {access} = await scripted(hangUp, list(), list(), list(), refuse(409, 'ConflictException'), list(cluster()))

    expect((await createCluster(access, NEW, {requestId: 'mine', sleep})).arn).toBe(ARN)
  })

  it("does not adopt somebody else's cluster of that name", async () => {
    const {access} = await scripted(hangUp, list(cluster({tags: {}})))

    expect(await failure(createCluster(access, NEW, {requestId: 'mine', sleep}))).toMatchObject({
      exitCode: 6,
      code: 'CLUSTER_EXISTS',
    })
  })

  it('that stays in doubt is an unknown outcome', async () => {
    const answers = Array.from({length: 3}, () => [hangUp, list(), list(), list()]).flat()
    const {access} = await scripted(...answers)

    expect(await failure(createCluster(access, NEW, {requestId: 'mine', sleep}))).toMatchObject({
      exitCode: 10,
      code: 'OUTCOME_UNKNOWN',
    })
  })

  it('is not doubted when AWS refuses it, or throttles it for a while', async () => {
    const refused = await scripted(refuse(400, 'BadRequestException', 'The subnets are not valid.'))
    expect(await failure(createCluster(refused.access, NEW, {requestId: 'mine', sleep}))).toMatchObject({
      exitCode: 2,
      message: expect.stringContaining('The subnets are not valid.'),
    })
    expect(refused.requests).toHaveLength(1)
    server!.close()

    const throttled = await scripted(refuse(429, 'TooManyRequestsException'), created)
    expect((await createCluster(throttled.access, NEW, {requestId: 'mine', sleep})).arn).toBe(ARN)
  })
})

describe('waiting', () => {
  const describing = (...states: string[]) =>
    scripted(...states.map((state) => answer(200, {clusterInfo: cluster({state, stateInfo: {code: 'X', message: 'no subnet'}})})))

  it('ends with 8 when the time is over, because AWS goes on', async () => {
    const {access} = await describing('CREATING')

    const error = await failure(waitUntilActive(access, ARN, {deadline: Date.now() + 50, pollMs: 10}))

    expect(error).toMatchObject({exitCode: 8, code: 'PENDING', hint: expect.stringContaining('`skk clusters describe')})
  })

  it("tells AWS's reason when the creation failed", async () => {
    const {access} = await describing('CREATING', 'FAILED')

    expect(await failure(waitUntilActive(access, ARN, {deadline: Date.now() + 5_000, pollMs: 1}))).toMatchObject({
      exitCode: 6,
      message: expect.stringContaining('is FAILED: X: no subnet'),
    })
  })
})

describe('listing', () => {
  it('follows the pages and sorts by name', async () => {
    const {access, requests} = await scripted(
      answer(200, {clusterInfoList: [cluster({clusterName: 'b'})], nextToken: 'next'}),
      list(cluster({clusterName: 'a'})),
    )

    expect((await listClusters(access)).map(({name}) => name)).toEqual(['a', 'b'])
    expect(requests[1]!.url).toContain('nextToken=next')
  })
})

describe('what AWS answers', () => {
  const denial =
    'User: arn:aws:iam::123456789012:user/ann is not authorized to perform: kafka:ListClustersV2 on resource: arn:aws:kafka:us-east-1:123456789012:/api/v2/clusters'

  it.each([
    [
      403,
      'AccessDeniedException',
      denial,
      4,
      '"arn:aws:iam::123456789012:user/ann" may not do kafka:ListClustersV2 on "arn:aws:kafka:us-east-1:123456789012:/api/v2/clusters"',
    ],
    [
      403,
      'UnrecognizedClientException',
      'The security token included in the request is invalid.',
      4,
      'AWS denied kafka:ListClustersV2: The security token',
    ],
    [401, 'UnauthorizedException', 'no', 4, 'AWS denied kafka:ListClustersV2'],
    [
      400,
      'BadRequestException',
      'The parameter is not valid.',
      2,
      'AWS refuses kafka:ListClustersV2: The parameter is not valid.',
    ],
    [429, 'TooManyRequestsException', 'Rate exceeded', 5, 'AWS throttles kafka:ListClustersV2: Rate exceeded'],
    [500, 'InternalServerErrorException', 'oops', 5, 'AWS failed in kafka:ListClustersV2: oops'],
    [409, 'ConflictException', 'busy', 6, 'AWS refuses kafka:ListClustersV2: busy'],
  ])('%i %s', async (status, type, message, exitCode, told) => {
    const {access} = await scripted(refuse(status, type, message))

    expect(await failure(listClusters(access))).toMatchObject({exitCode, message: expect.stringContaining(told)})
  })

  it('a clock that is wrong is told with its difference', async () => {
    const date = new Date(Date.now() - 20 * 60_000).toUTCString()
    const message = 'Signature not yet current: 20261121T101500Z is still later than 20261121T100000Z'
    const {access} = await scripted(answer(403, {message}, {'x-amzn-errortype': 'InvalidSignatureException', date}))

    expect(await failure(listClusters(access))).toMatchObject({
      exitCode: 4,
      code: 'CLOCK_SKEW',
      message: expect.stringMatching(/clock of this machine is \d+ min fast/),
    })
  })
})

describe('an endpoint that cannot be reached', () => {
  it.each([
    ['http://no-such-host.invalid', 'DNS failed'],
    ['http://127.0.0.1:1', 'TCP failed (ECONNREFUSED)'],
  ])('%s names the layer', async (url, told) => {
    const error = await failure(listClusters(accessTo(url)))

    expect(error).toMatchObject({exitCode: 5, code: 'UNREACHABLE', retryable: true, message: expect.stringContaining(told)})
  })

  it('that speaks no TLS is told so', async () => {
    const {access} = await scripted(list())

    expect(await failure(listClusters({...access, endpointUrl: access.endpointUrl!.replace('http:', 'https:')}))).toMatchObject({
      exitCode: 5,
      message: expect.stringContaining('TLS failed'),
    })
  })

  it('that never answers is given up within the timeout', async () => {
    const {access} = await scripted(() => {})
    const started = Date.now()

    expect(await failure(listClusters({...access, timeoutMs: 500}))).toMatchObject({exitCode: 5})
    // Without a timeout of its own it would be 10 s.
    expect(Date.now() - started).toBeLessThan(9_000)
  })
})

it('no region is a usage error', async () => {
  expect(await failure(listClusters(accessTo('http://127.0.0.1:1', {region: undefined})))).toMatchObject({
    exitCode: 2,
    code: 'REGION_MISSING',
  })
})

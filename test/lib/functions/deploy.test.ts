import {createServer, type IncomingMessage} from 'node:http'
import type {AddressInfo} from 'node:net'
import {json} from 'node:stream/consumers'

import {expect, it, onTestFinished} from 'vitest'

import {closeLambda, openLambda} from '../../../src/lib/aws/lambda.js'
import {deploy, planDeploy, type Wanted} from '../../../src/lib/functions/deploy.js'

type Call = {method: string; path: string; body: any}
type Reply = {status?: number; type?: string; body: object}

/** Lambda's API, whose answers a test writes; the last answer to a path stays. Undefined: there is no such function. */
async function scripted(answers: Record<string, (Reply | undefined)[]>) {
  const calls: Call[] = []
  const server = createServer(async (request: IncomingMessage, response) => {
    const path = `${request.method} ${request.url?.replace('/2015-03-31/functions', '')}`
    calls.push({method: request.method!, path, body: request.method === 'GET' ? undefined : await json(request)})
    const script = answers[path] ?? [undefined]
    const reply = (script.length > 1 ? script.shift() : script[0]) ?? {
      status: 404,
      type: 'ResourceNotFoundException',
      body: {Message: 'Function not found'},
    }
    response.writeHead(reply.status ?? 200, {
      'content-type': 'application/json',
      ...(reply.type && {'x-amzn-errortype': reply.type}),
    })
    response.end(JSON.stringify(reply.body))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const lambda = await openLambda({
    region: 'us-east-1',
    endpointUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    credentials: async () => ({accessKeyId: 'test', secretAccessKey: 'test'}),
    timeoutMs: 5_000,
  })
  onTestFinished(() => {
    closeLambda(lambda)
    server.closeAllConnections()
    server.close()
  })
  return {lambda, calls, changes: () => calls.filter(({method}) => method !== 'GET').map(({path}) => path)}
}

const wanted = (settings: Wanted['settings'] = {}): Wanted => ({
  name: 'orders',
  package: {zip: Buffer.from('zip'), sha256: 'new', handler: 'index.handler', files: 1, bundled: false},
  settings: {handler: 'index.handler', ...settings},
})
const waiting = () => ({deadline: performance.now() + 2_000, tickMs: 10})

const GET = 'GET /orders/configuration'
const found = (more: object = {}): Reply => ({
  body: {
    FunctionName: 'orders',
    State: 'Active',
    LastUpdateStatus: 'Successful',
    CodeSha256: 'old',
    Handler: 'index.handler',
    Runtime: 'nodejs22.x',
    MemorySize: 512,
    Timeout: 10,
    Environment: {Variables: {SECRET: 's', LEVEL: 'info'}},
    ...more,
  },
})
const throttled: Reply = {status: 429, type: 'TooManyRequestsException', body: {Message: 'Rate exceeded'}}
const notYetKnown: Reply = {
  status: 400,
  type: 'InvalidParameterValueException',
  body: {Message: 'The role defined for the function cannot be assumed by Lambda.'},
}

it('creates a function with defaults, past throttles and a role that is not known yet, and waits until it is active', async () => {
  const {lambda, calls, changes} = await scripted({
    [GET]: [undefined, throttled, found({State: 'Pending'}), found()],
    'POST ': [throttled, notYetKnown, {status: 201, body: {}}],
    'POST /': [throttled, notYetKnown, {status: 201, body: {}}],
  })
  const goal = wanted({role: 'arn:aws:iam::123456789012:role/r', environment: {A: '1'}})

  const plan = await planDeploy(lambda, goal)
  const made = await deploy(lambda, goal, plan, waiting())

  expect(plan.change).toBe('create')
  expect(made.state).toBe('Active')
  expect(changes()).toHaveLength(3)
  expect(calls.at(-1)!.path).toBe(GET)
  expect(calls.find(({method}) => method === 'POST')!.body).toEqual({
    FunctionName: 'orders',
    Role: 'arn:aws:iam::123456789012:role/r',
    Code: {ZipFile: Buffer.from('zip').toString('base64')},
    Handler: 'index.handler',
    Runtime: 'nodejs24.x',
    MemorySize: 1024,
    Timeout: 60,
    Environment: {Variables: {A: '1'}},
  })
})

it('needs a role for a new function', async () => {
  const {lambda, changes} = await scripted({})

  await expect(planDeploy(lambda, wanted())).rejects.toMatchObject({
    message: 'function "orders" is new and needs --role',
    exitCode: 2,
  })
  expect(changes()).toEqual([])
})

it('leaves alone what is not said, and the variables that it does not name', async () => {
  const {lambda, calls, changes} = await scripted({
    [GET]: [found(), found({LastUpdateStatus: 'InProgress'}), found()],
    'PUT /orders/code': [{body: {}}],
    'PUT /orders/configuration': [{body: {}}],
  })
  const goal = wanted({timeoutSeconds: 10, memoryMb: 1024, environment: {LEVEL: 'debug'}})

  const plan = await planDeploy(lambda, goal)
  await deploy(lambda, goal, plan, waiting())

  expect(plan).toMatchObject({change: 'update', code: true, settings: ['memoryMb', 'environment.LEVEL']})
  expect(changes()).toEqual(['PUT /orders/code', 'PUT /orders/configuration'])
  expect(calls.find(({path}) => path === 'PUT /orders/configuration')!.body).toEqual({
    MemorySize: 1024,
    Environment: {Variables: {SECRET: 's', LEVEL: 'debug'}},
  })
})

it('moves a function into a VPC, once', async () => {
  const vpc = {subnets: ['subnet-a', 'subnet-b'], securityGroups: ['sg-1']}
  const config = {SubnetIds: ['subnet-b', 'subnet-a'], SecurityGroupIds: ['sg-1'], VpcId: 'vpc-1'}
  const {lambda, calls} = await scripted({
    [GET]: [
      found({CodeSha256: 'new', VpcConfig: {SubnetIds: [], SecurityGroupIds: []}}),
      found({CodeSha256: 'new', VpcConfig: config}),
    ],
    'PUT /orders/configuration': [{body: {}}],
  })

  const plan = await planDeploy(lambda, wanted({vpc}))
  await deploy(lambda, wanted({vpc}), plan, waiting())
  const again = await planDeploy(lambda, wanted({vpc}))

  expect(plan.settings).toEqual(['vpc'])
  expect(calls.find(({method}) => method === 'PUT')!.body).toEqual({
    VpcConfig: {SubnetIds: ['subnet-a', 'subnet-b'], SecurityGroupIds: ['sg-1']},
  })
  expect(again.change).toBe('none')
})

it('does nothing when all is as wanted', async () => {
  const {lambda, changes} = await scripted({[GET]: [found({CodeSha256: 'new'})]})
  const goal = wanted({environment: {LEVEL: 'info'}})

  const plan = await planDeploy(lambda, goal)
  await deploy(lambda, goal, plan, waiting())

  expect(plan.change).toBe('none')
  expect(changes()).toEqual([])
})

it('says why a function failed to become active', async () => {
  const {lambda} = await scripted({
    [GET]: [found(), found(), found({LastUpdateStatus: 'Failed', LastUpdateStatusReason: 'no subnet'})],
    'PUT /orders/code': [{body: {}}],
  })
  const plan = await planDeploy(lambda, wanted())

  await expect(deploy(lambda, wanted(), plan, waiting())).rejects.toMatchObject({message: 'function "orders" failed: no subnet'})
})

it('is pending when the wait ends first', async () => {
  const {lambda} = await scripted({[GET]: [found(), found({LastUpdateStatus: 'InProgress'})]})
  const plan = await planDeploy(lambda, wanted())

  const deploying = deploy(lambda, wanted(), plan, {deadline: performance.now() + 100, tickMs: 10})

  await expect(deploying).rejects.toMatchObject({message: 'function "orders" is still being updated', exitCode: 8})
})

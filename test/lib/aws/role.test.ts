import {createServer} from 'node:http'
import type {AddressInfo} from 'node:net'
import {text} from 'node:stream/consumers'

import {afterEach, expect, it, onTestFinished, vi} from 'vitest'

import {ensureRole, rolePolicy} from '../../../src/lib/aws/role.js'
import {needsOf} from '../../../src/lib/esm/preflight.js'

afterEach(() => {
  vi.unstubAllEnvs()
})

const ARN = 'arn:aws:iam::123456789012:role/skk-orders'
const CLUSTER = 'arn:aws:kafka:eu-west-1:123456789012:cluster/shop/1a2b-s1'
const access = {
  region: 'eu-west-1',
  endpointUrl: undefined,
  credentials: async () => ({accessKeyId: 'test', secretAccessKey: 'test'}),
  timeoutMs: 5_000,
}
const needs = {functionName: 'orders', clusterArn: CLUSTER, topics: ['orders'], vpc: false}

/** IAM's query API with these answers by action; what was asked, in its order. */
async function iam(answers: Record<string, {status?: number; xml: string}>): Promise<URLSearchParams[]> {
  const asked: URLSearchParams[] = []
  const server = createServer(async (request, response) => {
    const form = new URLSearchParams(await text(request))
    asked.push(form)
    const {status = 200, xml} = answers[form.get('Action')!] ?? {status: 500, xml: ''}
    response.writeHead(status, {'content-type': 'text/xml'})
    response.end(xml)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  vi.stubEnv('AWS_ENDPOINT_URL_IAM', `http://127.0.0.1:${(server.address() as AddressInfo).port}`)
  return asked
}

const answer = (action: string, result: string) => ({
  xml: `<${action}Response><${action}Result>${result}</${action}Result></${action}Response>`,
})
const failure = (status: number, code: string, message: string) => ({
  status,
  xml: `<ErrorResponse><Error><Type>Sender</Type><Code>${code}</Code><Message>${message}</Message></Error></ErrorResponse>`,
})
const role = (tag: string) =>
  `<Role><Arn>${ARN}</Arn><Tags><member><Key>skk:function</Key><Value>${tag}</Value></member></Tags></Role>`

it('makes a role that Lambda may take, tagged, with its policy', async () => {
  const asked = await iam({CreateRole: answer('CreateRole', role('orders')), PutRolePolicy: answer('PutRolePolicy', '')})

  expect(await ensureRole(access, needs)).toBe(ARN)

  expect(asked.map((form) => form.get('Action'))).toEqual(['CreateRole', 'PutRolePolicy'])
  expect(asked[0]!.get('RoleName')).toBe('skk-orders')
  expect(asked[0]!.get('Tags.member.1.Key')).toBe('skk:function')
  expect(JSON.parse(asked[0]!.get('AssumeRolePolicyDocument')!).Statement[0].Principal).toEqual({Service: 'lambda.amazonaws.com'})
  expect(JSON.parse(asked[1]!.get('PolicyDocument')!)).toEqual(rolePolicy(ARN, 'eu-west-1', needs))
})

it('takes up its own role, and refuses that of somebody else', async () => {
  const taken = failure(409, 'EntityAlreadyExists', 'exists')
  await iam({CreateRole: taken, GetRole: answer('GetRole', role('orders')), PutRolePolicy: answer('PutRolePolicy', '')})
  expect(await ensureRole(access, needs)).toBe(ARN)

  const asked = await iam({CreateRole: taken, GetRole: answer('GetRole', role('other'))})
  await expect(ensureRole(access, needs)).rejects.toMatchObject({code: 'ROLE_TAKEN', exitCode: 6})
  expect(asked.map((form) => form.get('Action'))).not.toContain('PutRolePolicy')
})

it('leaves the policy of its role alone when no topic is named, if it has one', async () => {
  const taken = {CreateRole: failure(409, 'EntityAlreadyExists', 'exists'), GetRole: answer('GetRole', role('orders'))}
  const bare = {...needs, topics: []}
  const put = {PutRolePolicy: answer('PutRolePolicy', '')}

  const kept = await iam({...taken, ...put, GetRolePolicy: answer('GetRolePolicy', '<PolicyName>skk</PolicyName>')})
  await ensureRole(access, bare)
  expect(kept.map((form) => form.get('Action'))).toEqual(['CreateRole', 'GetRole', 'GetRolePolicy'])

  const lacking = await iam({...taken, ...put, GetRolePolicy: failure(404, 'NoSuchEntity', 'none')})
  await ensureRole(access, bare)
  expect(lacking.at(-1)!.get('Action')).toBe('PutRolePolicy')
})

it('says who may not make roles', async () => {
  const message = 'User: arn:aws:iam::1:user/u is not authorized to perform: iam:CreateRole on resource: arn:x'
  await iam({CreateRole: failure(403, 'AccessDenied', message)})

  await expect(ensureRole(access, needs)).rejects.toMatchObject({
    message: '"arn:aws:iam::1:user/u" may not do iam:CreateRole on "arn:x"',
    exitCode: 4,
  })
})

it('allows the pollers of the topics what they do, in the group of their mapping, and nothing else of Kafka', () => {
  const {Statement} = rolePolicy(ARN, 'eu-west-1', needs)
  const of = (action: string) => Statement.find(({Action}) => Action.includes(action))?.Resource

  expect(of('kafka-cluster:ReadData')).toEqual(['arn:aws:kafka:eu-west-1:123456789012:topic/shop/1a2b-s1/orders'])
  expect(of('kafka-cluster:AlterGroup')).toEqual(['arn:aws:kafka:eu-west-1:123456789012:group/shop/1a2b-s1/orders.orders'])
  expect(of('logs:PutLogEvents')).toBe('arn:aws:logs:eu-west-1:123456789012:log-group:/aws/lambda/orders:*')
  expect(
    Statement.flatMap(({Action}) => Action).filter((action) => /\*|Delete(?!Network)|Write|Create(?!Log|Network)/.test(action)),
  ).toEqual([])
})

it('allows all that a mapping is checked for before it is made', () => {
  const mapping = {function: 'orders', eventSourceArn: CLUSTER, topic: 'orders', group: 'g', settings: {}, tags: {}}
  const {Statement} = rolePolicy(ARN, 'eu-west-1', {...needs, groups: ['g']})

  const lacking = needsOf(mapping).filter(
    ({action, resource}) =>
      !Statement.some(({Action, Resource}) => Action.includes(action) && ['*', resource].some((one) => Resource.includes(one))),
  )

  expect(lacking).toEqual([])
})

it('gives a function that reads no topic its log alone', () => {
  const {Statement} = rolePolicy(ARN, 'eu-west-1', {...needs, topics: []})

  expect(Statement.flatMap(({Action}) => Action)).toEqual(['logs:CreateLogGroup', 'logs:CreateLogStream', 'logs:PutLogEvents'])
  expect(rolePolicy(ARN, 'eu-west-1', {...needs, topics: [], vpc: true}).Statement.at(-1)!.Action).toContain(
    'ec2:CreateNetworkInterface',
  )
})

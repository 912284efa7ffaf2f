import {createServer} from 'node:http'
import type {AddressInfo} from 'node:net'
import {text} from 'node:stream/consumers'

import {afterEach, expect, it, onTestFinished, vi} from 'vitest'

import {notAllowed} from '../../../src/lib/aws/iam.js'

afterEach(() => {
  vi.unstubAllEnvs()
})

const ROLE = 'arn:aws:iam::123456789012:role/orders'
const access = {
  region: 'us-east-1',
  endpointUrl: undefined,
  credentials: async () => ({accessKeyId: 'test', secretAccessKey: 'test'}),
  timeoutMs: 5_000,
}

/** IAM's SimulatePrincipalPolicy, which denies these actions, or every call; what was asked. */
async function iam({denied = [], refuses = false}: {denied?: string[]; refuses?: boolean}): Promise<URLSearchParams[]> {
  const asked: URLSearchParams[] = []
  const server = createServer(async (request, response) => {
    const form = new URLSearchParams(await text(request))
    asked.push(form)
    const actions = [...form].filter(([key]) => key.startsWith('ActionNames.member.')).map(([, action]) => action)
    const results = actions.map((action) => {
      const decision = denied.includes(action) ? 'implicitDeny' : 'allowed'
      return `<member><EvalActionName>${action}</EvalActionName><EvalDecision>${decision}</EvalDecision></member>`
    })
    response.writeHead(refuses ? 403 : 200, {'content-type': 'text/xml'})
    response.end(
      refuses
        ? '<ErrorResponse><Error><Code>AccessDenied</Code><Message>not authorized to perform: iam:SimulatePrincipalPolicy</Message></Error></ErrorResponse>'
        : `<SimulatePrincipalPolicyResponse><SimulatePrincipalPolicyResult><EvaluationResults>${results.join('')}</EvaluationResults></SimulatePrincipalPolicyResult></SimulatePrincipalPolicyResponse>`,
    )
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  vi.stubEnv('AWS_ENDPOINT_URL_IAM', `http://127.0.0.1:${(server.address() as AddressInfo).port}`)
  return asked
}

const needs = [
  {action: 'kafka-cluster:Connect', resource: 'cluster'},
  {action: 'kafka-cluster:ReadData', resource: 'topic'},
  {action: 'kafka-cluster:DescribeTopic', resource: 'topic'},
]

it('simulates the policies of a role, once for each resource', async () => {
  const asked = await iam({denied: ['kafka-cluster:ReadData']})

  expect(await notAllowed(access, ROLE, needs)).toEqual([{action: 'kafka-cluster:ReadData', resource: 'topic'}])

  expect(asked).toHaveLength(2)
  expect(asked.every((form) => form.get('PolicySourceArn') === ROLE)).toBe(true)
})

it('finds nothing where all is allowed', async () => {
  await iam({})

  expect(await notAllowed(access, ROLE, needs)).toEqual([])
})

it('throws where the caller may not simulate', async () => {
  await iam({refuses: true})

  await expect(notAllowed(access, ROLE, needs)).rejects.toThrow('not authorized')
})

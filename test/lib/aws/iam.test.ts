import {afterEach, expect, it, vi} from 'vitest'

import {notAllowed} from '../../../src/lib/aws/iam.js'
import {scriptedIam} from '../../support/scripted-iam.js'

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

async function iam(script: Parameters<typeof scriptedIam>[0]): Promise<URLSearchParams[]> {
  const {url, asked} = await scriptedIam(script)
  vi.stubEnv('AWS_ENDPOINT_URL_IAM', url)
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

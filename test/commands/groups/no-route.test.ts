import {expect, it, onTestFinished} from 'vitest'

import {lagMetrics, scriptedCloudWatch} from '../../support/scripted-cloudwatch.js'
import {cleanHome, skk} from '../../support/skk.js'

/** A group of a cluster whose brokers do not answer, as from a laptop outside of the VPC. */
const ARN = 'arn:aws:kafka:us-east-1:123456789012:cluster/shop/1a2b3c4d-1111-2222-3333-444455556666-s1'
const AT = 1_790_000_000

async function outside(answer: Parameters<typeof scriptedCloudWatch>[0]) {
  const {url, asked} = await scriptedCloudWatch(answer)
  const home = await cleanHome()
  onTestFinished(() => home.remove())
  await home.context('prod', {cluster: ARN, bootstrap: '127.0.0.1:1', region: 'us-east-1', tls: true})
  const env = {AWS_ENDPOINT_URL_CLOUDWATCH: url, AWS_ACCESS_KEY_ID: 'test', AWS_SECRET_ACCESS_KEY: 'test'}
  const describe = (...args: string[]) => skk(['groups', 'describe', 'orders.placed', ...args], {home, env})
  return {describe, asked}
}

it('has the lag that CloudWatch had last, and says so', async () => {
  const {describe, asked} = await outside(lagMetrics({placed: {lag: 40, seconds: 9}}, AT))

  const {code, stdout, stderr} = await describe()

  expect(code, stderr).toBe(0)
  expect(stdout).toMatch(/GROUP +TOPIC +LAG +CLEAR IN +AS OF\norders\.placed +placed +40 +9s +2026-/)
  expect(stderr).toMatch(/^warning: .*; what follows is CloudWatch's, as of 2026-/m)
  expect(asked[0]!.body.Dimensions).toEqual([
    {Name: 'Cluster Name', Value: 'shop'},
    {Name: 'Consumer Group', Value: 'orders.placed'},
  ])
})

it('--fail-over takes records there, and cannot tell a time', async () => {
  const {describe} = await outside(lagMetrics({placed: {lag: 40}}, AT))

  expect(await describe('--fail-over', '39')).toMatchObject({code: 6})
  expect(await describe('--fail-over', '40', '--query', 'lag')).toMatchObject({code: 0, stdout: '40\n'})
  expect(await describe('--fail-over', '5m')).toMatchObject({
    code: 5,
    stderr: expect.stringContaining('how long group "orders.placed" lags cannot be told'),
  })
})

it('is 5 with both reasons when CloudWatch knows nothing', async () => {
  const unknown = await (await outside(lagMetrics({}, AT))).describe()
  const denied = await (
    await outside(() => ({status: 403, body: {__type: 'AccessDenied', message: 'not authorized'}}))
  ).describe()

  expect(unknown).toMatchObject({code: 5, stderr: expect.stringContaining('CloudWatch has no lag of group "orders.placed"')})
  expect(denied).toMatchObject({code: 5, stderr: expect.stringContaining('CloudWatch cannot be asked either: not authorized')})
})

import {mkdtemp, rm, writeFile} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {join} from 'node:path'

import {describe, expect, it, onTestFinished} from 'vitest'

import {lagsOf} from '../../../../src/lib/kafka/groups/lag.js'
import {commitReset, planReset} from '../../../../src/lib/kafka/groups/reset.js'
import {deleteGroup, listGroups, requireGroup} from '../../../../src/lib/kafka/groups.js'
import type {KafkaTarget} from '../../../../src/lib/kafka/target.js'
import {createTopics} from '../../../../src/lib/kafka/topics.js'
import {stack} from '../../../support/stack.js'
import {iam, work} from '../cluster-fixture.js'
import {numbers, produceText, TOPIC} from '../records-fixture.js'

const GROUP = 'billing'
const GROUP_ARN = `arn:aws:kafka:us-east-1:123456789012:group/local/[^/]+/${GROUP}`
const TOPIC_ARN = `arn:aws:kafka:us-east-1:123456789012:topic/local/[^/]+/${TOPIC}`

const principal = (name: string, actions: string) => ({
  name,
  accessKeyId: name,
  secretAccessKey: 'secret',
  policy: {
    Version: '2012-10-17',
    Statement: [{Effect: 'Allow', Action: actions.split(' ').map((action) => `kafka-cluster:${action}`), Resource: '*'}],
  },
})

/** A stack where a group has three records to go, and an identity that may do no more than `actions`. */
async function whoMay(actions: string): Promise<KafkaTarget> {
  const dir = await mkdtemp(join(tmpdir(), 'skk-iam-'))
  onTestFinished(() => rm(dir, {recursive: true}))
  const iamFile = join(dir, 'iam.json')
  await writeFile(iamFile, JSON.stringify({principals: [principal('admin', '*'), principal('limited', actions)]}), {mode: 0o600})
  const local = await stack({iamFile, plaintextPort: undefined})
  const as = (accessKeyId: string): KafkaTarget => ({
    ...iam(local),
    credentials: async () => ({accessKeyId, secretAccessKey: 'secret'}),
  })
  await work(as('admin'), async (cluster) => {
    const topic = {name: TOPIC, partitions: 1, replicationFactor: 3, configs: {}}
    await createTopics(cluster, [topic], {dryRun: false, timeoutMs: 5_000})
    await produceText(cluster, numbers(3))
    await commitReset(cluster, GROUP, await planReset(cluster, GROUP, toEarliest), as('admin'))
  })
  return as('limited')
}

const toEarliest = {goal: {kind: 'earliest'}, topics: [TOPIC], partitions: null} as const
const toLatest = {...toEarliest, goal: {kind: 'latest'}} as const

const denial = (action: string, arn: string) => ({
  code: 'ACCESS_DENIED',
  exitCode: 4,
  message: expect.stringMatching(new RegExp(`may not do kafka-cluster:${action} on ${arn}$`)),
})

const reset = (target: KafkaTarget): Promise<void> =>
  work(target, async (cluster) => commitReset(cluster, GROUP, await planReset(cluster, GROUP, toLatest), target))

describe('groups', () => {
  it('are described without ReadData, but for the lag in time', async () => {
    const target = await whoMay('Connect DescribeGroup DescribeTopic')

    const lags = await work(target, async (cluster) => lagsOf(cluster, await requireGroup(cluster, GROUP)))

    expect(lags).toMatchObject([{committedOffset: 0, endOffset: 3, lag: 3, lagMs: null}])
  })

  it('may not be described without DescribeGroup', async () => {
    const target = await whoMay('Connect DescribeTopic')

    await expect(work(target, (cluster) => requireGroup(cluster, GROUP))).rejects.toMatchObject(
      denial('DescribeGroup', GROUP_ARN),
    )
  })

  it('are listed without their state where only the cluster may be described', async () => {
    const target = await whoMay('Connect DescribeCluster')

    expect(await work(target, listGroups)).toEqual([{name: GROUP, state: null, members: null}])
  })

  it('are reset with no more than DescribeGroup, AlterGroup, DescribeTopic and ReadData', async () => {
    const target = await whoMay('Connect DescribeGroup AlterGroup DescribeTopic ReadData')

    await reset(target)

    const lags = await work(target, async (cluster) => lagsOf(cluster, await requireGroup(cluster, GROUP)))
    expect(lags).toMatchObject([{committedOffset: 3, lag: 0}])
  })

  it('may not be reset without AlterGroup, or without ReadData', async () => {
    const reader = await whoMay('Connect DescribeGroup DescribeTopic ReadData')
    const writer = await whoMay('Connect DescribeGroup AlterGroup DescribeTopic')

    await expect(reset(reader)).rejects.toMatchObject(denial('AlterGroup', GROUP_ARN))
    await expect(reset(writer)).rejects.toMatchObject(denial('ReadData', TOPIC_ARN))
  })

  it('may not be deleted without DeleteGroup', async () => {
    const target = await whoMay('Connect DescribeGroup AlterGroup')

    await expect(work(target, (cluster) => deleteGroup(cluster, GROUP))).rejects.toMatchObject(denial('DeleteGroup', GROUP_ARN))
  })
})

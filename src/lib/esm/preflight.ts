import type {FunctionFacts} from '../aws/lambda.js'
import type {Wanted} from './plan.js'
import {groupOf} from './plan.js'

/** `unknown` is not checkable from here, and stops nothing. */
export type Check = {check: string; status: 'ok' | 'failed' | 'warning' | 'unknown'; detail: string; hint?: string}

/** What a check found; undefined when all is well. `hint` is a sentence without its end, for what failed. */
export type Finding = {status: 'failed' | 'warning' | 'unknown'; detail: string; hint?: string} | undefined

/** How checks are asked: what throws is not checkable, with what it said. */
export async function runChecks(checks: Record<string, () => Promise<Finding>>): Promise<Check[]> {
  return Promise.all(
    Object.entries(checks).map(async ([check, ask]): Promise<Check> => {
      try {
        return {check, ...((await ask()) ?? {status: 'ok', detail: ''})}
      } catch (error) {
        return {check, status: 'unknown', detail: (error as Error).message}
      }
    }),
  )
}

/** Lambda bounds a function of a Kafka mapping to 14 minutes. Source: AWS Lambda developer guide of 2023. */
const MOST_TIMEOUT_SECONDS = 14 * 60

export function checkFunction(name: string, facts: FunctionFacts | undefined): Finding {
  if (!facts)
    return {status: 'failed', detail: `function "${name}" does not exist`, hint: 'Deploy it with `skk functions deploy`'}
  if (facts.state === 'Failed')
    return {status: 'failed', detail: `function "${name}" is Failed${facts.stateReason ? `: ${facts.stateReason}` : ''}`}
  if (facts.timeoutSeconds > MOST_TIMEOUT_SECONDS)
    return {
      status: 'warning',
      detail: `function "${name}" may run for ${facts.timeoutSeconds} s, more than a Kafka mapping lets it`,
    }
  return facts.state === 'Active' ? undefined : {status: 'warning', detail: `function "${name}" is ${facts.state}`}
}

/** What the role of a function needs to read a topic. Source: docs.aws.amazon.com/lambda/latest/dg/with-msk-permissions.html. */
export function needsOf(wanted: Wanted): {action: string; resource: string}[] {
  const cluster = wanted.eventSourceArn
  const topic = `${cluster.replace(':cluster/', ':topic/')}/${wanted.topic}`
  const group = `${cluster.replace(':cluster/', ':group/')}/${groupOf(wanted)}`
  return [
    ...['kafka-cluster:Connect', 'kafka-cluster:DescribeCluster', 'kafka:DescribeClusterV2', 'kafka:GetBootstrapBrokers'].map(
      (action) => ({action, resource: cluster}),
    ),
    ...['kafka-cluster:DescribeTopic', 'kafka-cluster:ReadData'].map((action) => ({action, resource: topic})),
    ...['kafka-cluster:DescribeGroup', 'kafka-cluster:AlterGroup'].map((action) => ({action, resource: group})),
    ...(wanted.settings.pollers
      ? []
      : [
          'ec2:CreateNetworkInterface',
          'ec2:DescribeNetworkInterfaces',
          'ec2:DescribeVpcs',
          'ec2:DescribeSubnets',
          'ec2:DescribeSecurityGroups',
        ].map((action) => ({action, resource: '*'}))),
  ]
}

/** Lambda takes 6 MB in an event, in which base64 makes three bytes four; a record beyond that is never delivered. */
const MOST_RECORD_BYTES = Math.floor((6 * 1024 * 1024 * 3) / 4)

export function checkRecordSize(topic: string, maxMessageBytes: number): Finding {
  if (maxMessageBytes <= MOST_RECORD_BYTES) return undefined
  return {
    status: 'warning',
    detail: `topic "${topic}" takes records of ${maxMessageBytes} bytes; those above about ${MOST_RECORD_BYTES} do not fit into an event of 6 MB and are never delivered`,
  }
}

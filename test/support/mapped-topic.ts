import {readFile} from 'node:fs/promises'
import {join} from 'node:path'
import {
  CreateEventSourceMappingCommand,
  type CreateEventSourceMappingCommandInput,
  CreateFunctionCommand,
  GetEventSourceMappingCommand,
  type LambdaClient,
} from '@aws-sdk/client-lambda'
import type {Local, LocalOptions} from '../../src/lib/local/index.js'
import {lambdaClient, newFunction, until} from './lambda.js'
import {stack} from './stack.js'
import {kafkaOf} from './topic.js'

/** Logs each record as one JSON line, and fails for those whose value holds "poison". */
export const RECORDER = `export const handler = async (event) => {
  const all = Object.values(event.records).flat()
  const text = ({value}) => value === undefined ? null : Buffer.from(value, 'base64').toString()
  console.log('BATCH', JSON.stringify(all.map((r) => [r.partition, r.offset, text(r)])))
  if (all.some((record) => text(record)?.includes('poison'))) throw new Error('poisoned')
}`

export type Seen = [partition: number, offset: number, value: string | null]

/** A stack with the topic "orders" and the function "f". */
export async function mappedTopic({
  source = RECORDER,
  partitions = 1,
  ...options
}: Partial<LocalOptions> & {source?: string; partitions?: number} = {}) {
  const local = await stack({lambdaRate: 1000, ...options})
  const client = lambdaClient(local)
  const {admin, producer} = await kafkaOf(local)
  await admin.createTopics({topics: [{topic: 'orders', numPartitions: partitions}]})
  await client.send(new CreateFunctionCommand(newFunction('f', source)))
  const send = (...values: (string | null)[]) =>
    producer.send({topic: 'orders', messages: values.map((value) => ({key: 'k', value}))})
  return {local, client, admin, producer, send}
}

export const newMapping = ({clusterArn}: Local, rest: Partial<CreateEventSourceMappingCommandInput> = {}) => ({
  FunctionName: 'f',
  EventSourceArn: clusterArn,
  Topics: ['orders'],
  StartingPosition: 'TRIM_HORIZON' as const,
  MaximumBatchingWindowInSeconds: 0,
  ...rest,
})

export async function attach(
  client: LambdaClient,
  local: Local,
  rest: Partial<CreateEventSourceMappingCommandInput> = {},
): Promise<string> {
  const {UUID} = await client.send(new CreateEventSourceMappingCommand(newMapping(local, rest)))
  await untilState(client, UUID!, rest.Enabled === false ? 'Disabled' : 'Enabled')
  return UUID!
}

export const stateOf = (client: LambdaClient, UUID: string) => client.send(new GetEventSourceMappingCommand({UUID}))

export const untilState = (client: LambdaClient, uuid: string, state: string) =>
  until(
    () => stateOf(client, uuid),
    ({State}) => State === state,
  )

/** The batches that RECORDER has logged. */
export async function batches({dataDir}: Local, name = 'f'): Promise<Seen[][]> {
  const text = await readFile(join(dataDir, 'functions', name, 'log'), 'utf8').catch(() => '')
  return [...text.matchAll(/\tBATCH (.*)$/gm)].map(([, json]) => JSON.parse(json!))
}

export async function seenUntil(local: Local, wanted: (seen: Seen[]) => boolean): Promise<Seen[]> {
  return until(async () => (await batches(local)).flat(), wanted)
}

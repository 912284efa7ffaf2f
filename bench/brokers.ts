import {spawn} from 'node:child_process'
import {join} from 'node:path'

import {installKcat, installPython} from '../test/engines/install.js'
import {expectSuccess} from '../test/engines/processes.js'
import {startRealKafka} from '../test/engines/real-kafka.js'
import {firstLine} from './rounds.js'
import {startStack, topicsOf} from './stack.js'

/** Where both sides of a comparison go: librdkafka's mock cluster, `skk local`, or one node of Apache Kafka. */
export type Target =
  | {mock: {brokers: number; roundTripMs: number}}
  | {local: {partitions: number}}
  | {kafka: {partitions: number}}

export type Brokers = {
  bootstrap: string
  /** Does it with the name of an empty topic, where there would be no room for all of them. */
  fresh<T>(work: (topic: string) => Promise<T>): Promise<T>
  stop(): Promise<void>
}

/** Starts the target, with nothing in it. */
export async function startBrokers(target: Target): Promise<Brokers> {
  if ('mock' in target) return startMock(target.mock)
  if ('kafka' in target) {
    const {createTopic, deleteTopic, bootstrap, stop} = await startKafka()
    return {bootstrap, stop, fresh: eachInItsOwn(target.kafka.partitions, createTopic, deleteTopic)}
  }
  const {createTopic, deleteTopic, plaintextBootstrap, stop} = await startStack()
  return {bootstrap: plaintextBootstrap, stop, fresh: eachInItsOwn(target.local.partitions, createTopic, deleteTopic)}
}

/** One node of Apache Kafka, its topics made and deleted by skk. */
export async function startKafka(): Promise<{bootstrap: string; stop(): Promise<void>} & ReturnType<typeof topicsOf>> {
  const {bootstrap, stop} = await startRealKafka()
  return {bootstrap, stop, ...topicsOf(bootstrap)}
}

type Topics = ReturnType<typeof topicsOf>

function eachInItsOwn(partitions: number, create: Topics['createTopic'], remove: Topics['deleteTopic']): Brokers['fresh'] {
  let count = 0
  return async (work) => {
    // Kafka takes its time to delete one; the next has another name.
    const topic = `orders-${count++}`
    await create(topic, partitions)
    return work(topic).finally(() => remove(topic))
  }
}

const TOPIC = 'orders'

async function startMock({brokers, roundTripMs}: {brokers: number; roundTripMs: number}): Promise<Brokers> {
  const python = join(await installPython(), 'python')
  const script = join(import.meta.dirname, 'mock-cluster.py')
  const mock = spawn(python, [script, String(brokers), String(roundTripMs)], {stdio: ['pipe', 'pipe', 'inherit']})
  const bootstrap = await firstLine(mock)
  await installKcat()
  // It makes a topic of four partitions when librdkafka asks for one, and keeps only the last megabytes of each.
  await expectSuccess('kcat', ['-b', bootstrap, '-P', '-t', TOPIC], {input: 'first\n'})
  return {
    bootstrap,
    fresh: (work) => work(TOPIC),
    async stop() {
      mock.stdin.end()
    },
  }
}

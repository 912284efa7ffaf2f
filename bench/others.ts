import {stat} from 'node:fs/promises'
import {join} from 'node:path'

import {QUOTAS} from '../src/lib/limits.js'
import {installKafka, installKcat} from '../test/engines/install.js'
import {javaArgs} from '../test/engines/java.js'
import {expectSuccess} from '../test/engines/processes.js'
import {emptyHome} from '../test/engines/skk.js'
import {type Brokers, startBrokers} from './brokers.js'
import {inputOf, order} from './lines.js'
import {alternate, divided, type Figure, median, NODE, ratio, rounds, timed} from './rounds.js'
import {CLI} from './stack.js'

const LINES = 5_000_000
const PARTITIONS = 4
/** kafka-producer-perf-test holds its file in memory, as one string and cut into lines, before it sends the first. */
const PAYLOADS = 100_000

type Inputs = {kafka: Brokers; file: string; payloads: string; lines: number; java: readonly string[]; env: NodeJS.ProcessEnv}

/**
 * skk beside Kafka's own tools and a program with plain kafkajs, with the same lines and one node of Apache Kafka; and beside the
 * time that MSK Serverless's quota of each partition would set. No goals: they say where kcat and skk stand.
 */
export async function* others(): AsyncGenerator<Figure> {
  await installKcat()
  const lines = divided(LINES)
  const [home, file] = [await emptyHome(), await inputOf({line: order, lines})]
  const payloads = await inputOf({line: order, lines: Math.min(PAYLOADS, lines)})
  const kafka = await startBrokers({kafka: {partitions: PARTITIONS}})
  // A tool that runs for longer than a test is worth compiling well.
  const java = javaArgs(await installKafka('3.9')).filter((arg) => arg !== '-XX:TieredStopAtLevel=1')
  const inputs = {kafka, file: file.path, payloads: payloads.path, lines, java, env: {...process.env, ...home.env}}
  try {
    yield* await producing(inputs)
    yield await consuming(inputs)
  } finally {
    await Promise.all([kafka.stop(), file.remove(), payloads.remove(), home.remove()])
  }
}

async function producing({kafka, file, payloads, lines, java, env}: Inputs): Promise<Figure[]> {
  const {bootstrap, fresh} = kafka
  const produce = [CLI, 'produce', '--bootstrap', bootstrap, '--auth', 'none', '--file', file, '--restart', '--quiet']
  const perfTest = (topic: string): string[] => [
    ...java,
    'org.apache.kafka.tools.ProducerPerformance',
    ...['--topic', topic, '--payload-file', payloads, '--num-records', String(lines), '--throughput', '-1'],
    ...['--producer-props', `bootstrap.servers=${bootstrap}`],
  ]
  const [skk = [], tool = [], plain = []] = await alternate(rounds(7), [
    () => fresh((topic) => timed(NODE, [...produce, '--topic', topic], env)),
    () => fresh((topic) => timed('java', perfTest(topic))),
    () => fresh((topic) => timed(NODE, [join(import.meta.dirname, 'kafkajs-send.js'), bootstrap, topic, file])),
  ])
  const what = `skk produce of ${lines} lines, Apache Kafka`
  const quotaMs = ((await stat(file)).size / (PARTITIONS * QUOTAS.partitionIngressBytesPerSecond)) * 1_000
  return [
    ratio(`${what}: skk / kafka-producer-perf-test`, null, skk, tool),
    ratio(`${what}: skk / kafkajs' producer.send`, null, skk, plain),
    {
      what: `${what}: skk / at 5 MB/s for each of ${PARTITIONS} partitions, MSK Serverless's quota`,
      figure: `${(median(skk) / quotaMs).toFixed(2)} x`,
      goal: 'none',
      details: `(${median(skk).toFixed(0)} ms to ${quotaMs.toFixed(0)} ms)`,
    },
  ]
}

async function consuming({kafka, file, lines, java, env}: Inputs): Promise<Figure> {
  const {bootstrap, fresh} = kafka
  return fresh(async (topic) => {
    await expectSuccess('kcat', ['-b', bootstrap, '-P', '-t', topic, '-l', file], {timeoutMs: 600_000})
    const range = ['--topic', topic, '--from-beginning', '--max-messages', String(lines)]
    const tool = [...java, 'org.apache.kafka.tools.consumer.ConsoleConsumer', '--bootstrap-server', bootstrap, ...range]
    const [skk = [], console = []] = await alternate(rounds(7), [
      () => timed(NODE, [CLI, 'consume', topic, '--bootstrap', bootstrap, '--auth', 'none', '--quiet'], env),
      () => timed('java', tool),
    ])
    return ratio(`skk consume of ${lines} lines, Apache Kafka: skk / kafka-console-consumer`, null, skk, console)
  })
}

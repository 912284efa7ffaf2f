import {existsSync, readdirSync} from 'node:fs'
import {join} from 'node:path'

import {installKafka, type KafkaVersion} from './install.js'
import {type Finished, type Options, run, start} from './processes.js'

export type Tool =
  | 'topics'
  | 'console-producer'
  | 'console-consumer'
  | 'consumer-groups'
  | 'configs'
  | 'get-offsets'
  | 'delete-records'
  | 'verifiable-producer'
  | 'verifiable-consumer'
  | 'producer-perf-test'

/** As in Kafka's own bin/*.sh: the tools moved from the Scala core to kafka-tools over the years. */
const MAIN_CLASSES: Record<Tool, {scala: string; java: string}> = {
  topics: {scala: 'kafka.admin.TopicCommand', java: 'org.apache.kafka.tools.TopicCommand'},
  'console-producer': {scala: 'kafka.tools.ConsoleProducer', java: 'org.apache.kafka.tools.ConsoleProducer'},
  'console-consumer': {scala: 'kafka.tools.ConsoleConsumer', java: 'org.apache.kafka.tools.consumer.ConsoleConsumer'},
  'consumer-groups': {
    scala: 'kafka.admin.ConsumerGroupCommand',
    java: 'org.apache.kafka.tools.consumer.group.ConsumerGroupCommand',
  },
  configs: {scala: 'kafka.admin.ConfigCommand', java: 'kafka.admin.ConfigCommand'},
  'get-offsets': {scala: 'kafka.tools.GetOffsetShell', java: 'org.apache.kafka.tools.GetOffsetShell'},
  'delete-records': {scala: 'kafka.admin.DeleteRecordsCommand', java: 'org.apache.kafka.tools.DeleteRecordsCommand'},
  'verifiable-producer': {scala: 'org.apache.kafka.tools.VerifiableProducer', java: 'org.apache.kafka.tools.VerifiableProducer'},
  'verifiable-consumer': {scala: 'org.apache.kafka.tools.VerifiableConsumer', java: 'org.apache.kafka.tools.VerifiableConsumer'},
  'producer-perf-test': {scala: 'org.apache.kafka.tools.ProducerPerformance', java: 'org.apache.kafka.tools.ProducerPerformance'},
}
const STILL_SCALA: Record<KafkaVersion, readonly Tool[]> = {
  '2.8': ['topics', 'console-producer', 'console-consumer', 'consumer-groups', 'configs', 'get-offsets', 'delete-records'],
  '3.9': ['console-producer', 'configs'],
  '4': ['configs'],
}

export type KafkaTools = {
  /** Runs a tool of that Kafka to its end, with `--bootstrap-server` (or what the tool calls it) left to the caller. */
  run(tool: Tool, args: readonly string[], options?: Options): Promise<Finished>
  start(tool: Tool, args: readonly string[], options?: Options): ReturnType<typeof start>
}

/** The command-line tools of one version of Apache Kafka, started as its own shell scripts start them. */
export async function kafkaTools(version: KafkaVersion): Promise<KafkaTools> {
  const jars = await installKafka(version)
  const command = (tool: Tool) => [...javaArgs(jars), MAIN_CLASSES[tool][STILL_SCALA[version].includes(tool) ? 'scala' : 'java']]
  return {
    run: (tool, args, options) => run('java', [...command(tool), ...args], options),
    start: (tool, args, options) => start('java', [...command(tool), ...args], options),
  }
}

/** Flags for a JVM that lives for seconds: start fast, stay small, warn on stderr. */
export function javaArgs(jars: string): string[] {
  if (!existsSync(jars)) throw new Error(`no jars in ${jars}`)
  const classPath = readdirSync(jars).map((name) => join(jars, name))
  return [
    '-XX:TieredStopAtLevel=1',
    '-XX:+UseSerialGC',
    '-Xmx512m',
    '-Dorg.slf4j.simpleLogger.defaultLogLevel=warn',
    '-cp',
    classPath.join(':'),
  ]
}

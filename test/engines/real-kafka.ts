import {mkdtemp, rm, writeFile} from 'node:fs/promises'
import {type AddressInfo, createServer, type Server} from 'node:net'
import {tmpdir} from 'node:os'
import {join} from 'node:path'

import {installKafka} from './install.js'
import {javaArgs} from './java.js'
import {end, eventually, expectSuccess, run, start} from './processes.js'

/** Its nodes are numbered from 1. */
export type RealKafka = {
  /** host:port of every node, separated by commas. */
  bootstrap: string
  /** Resolves once every node is there and every partition of the topics of this list has all its replicas in sync. */
  whole(...topics: string[]): Promise<void>
  /** Ends a node as a crash does; its data stays. */
  kill(node: number): Promise<void>
  /** Starts it again, at the same address. */
  revive(node: number): Promise<void>
  /** The node hangs, its connections stay open: it takes no part in anything until it is resumed. */
  pause(node: number): void
  resume(node: number): void
  stop(): Promise<void>
}

type Node = {id: number; port: number; controllerPort: number; dir: string}

const WHOLE_MS = 120_000

/** A cluster of several has to find out by itself, and soon, that a node is gone. */
const SEVERAL = {
  'broker.heartbeat.interval.ms': 500,
  'broker.session.timeout.ms': 6_000,
  'replica.lag.time.max.ms': 10_000,
  'min.insync.replicas': 2,
}

/**
 * Apache Kafka 3.9 itself, on loopback, plaintext, with its data in a temporary folder: one node, or several that are brokers and
 * the quorum of controllers (KRaft) at once. Of several each has a copy of everything, and two have to have what is acknowledged to all.
 */
export async function startRealKafka({nodes: count = 1} = {}): Promise<RealKafka> {
  const jars = await installKafka('3.9')
  const dir = await mkdtemp(join(tmpdir(), 'skk-real-kafka-'))
  const ports = await freePorts(2 * count)
  const nodes = Array.from({length: count}, (_, i): Node => {
    return {id: i + 1, port: ports[2 * i]!, controllerPort: ports[2 * i + 1]!, dir: join(dir, String(i + 1))}
  })
  const processes = new Map<number, ReturnType<typeof start>>()
  const log: string[] = []
  const launch = (id: number): void => {
    const heap = count === 1 ? ['-Xms256m'] : ['-Xmx320m']
    const broker = start('java', [...javaArgs(jars), ...heap, 'kafka.Kafka', propertiesFile(dir, id)])
    const keep = (chunk: Buffer) => log.push(`${id}: ${chunk}`)
    broker.stdout.on('data', keep)
    broker.stderr.on('data', keep)
    processes.set(id, broker)
  }
  const bootstrap = nodes.map(({port}) => `127.0.0.1:${port}`).join(',')
  const kafka: RealKafka = {
    bootstrap,
    whole: (...topics) => eventually(() => isWhole(bootstrap, count, topics), WHOLE_MS),
    kill: (id) => end(processes.get(id)!, 'SIGKILL'),
    revive: async (id) => launch(id),
    pause: (id) => void processes.get(id)!.kill('SIGSTOP'),
    resume: (id) => void processes.get(id)!.kill('SIGCONT'),
    async stop() {
      await Promise.all([...processes.values()].map((broker) => end(broker, count === 1 ? 'SIGTERM' : 'SIGKILL')))
      await rm(dir, {recursive: true, force: true})
    },
  }
  try {
    await Promise.all(
      nodes.map(async (node) => {
        await writeFile(propertiesFile(dir, node.id), serverProperties(node, nodes))
        await format(jars, propertiesFile(dir, node.id))
      }),
    )
    for (const {id} of nodes) launch(id)
    // A node opens its port only after it has joined the quorum and is no longer fenced.
    await expectSuccess('java', [
      ...javaArgs(jars),
      'org.apache.kafka.tools.TopicCommand',
      '--bootstrap-server',
      bootstrap,
      '--list',
    ])
    return kafka
  } catch (cause) {
    await kafka.stop()
    throw new Error(`Kafka did not start:\n${log.join('')}`, {cause})
  }
}

const propertiesFile = (dir: string, id: number): string => join(dir, `server-${id}.properties`)

const format = (jars: string, properties: string): Promise<unknown> => {
  const args = ['kafka.tools.StorageTool', 'format', '--config', properties, '--cluster-id', 'c2trLWVuZ2luZS10ZXN0cw']
  return expectSuccess('java', [...javaArgs(jars), ...args])
}

function serverProperties({id, port, controllerPort, dir}: Node, nodes: readonly Node[]): string {
  const several = nodes.length > 1
  const copies = several ? nodes.length : 1
  const properties = {
    'process.roles': 'broker,controller',
    'node.id': id,
    'controller.quorum.voters': nodes.map((node) => `${node.id}@127.0.0.1:${node.controllerPort}`).join(','),
    'controller.listener.names': 'CONTROLLER',
    listeners: `PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controllerPort}`,
    'advertised.listeners': `PLAINTEXT://127.0.0.1:${port}`,
    'log.dirs': dir,
    'auto.create.topics.enable': false,
    'group.initial.rebalance.delay.ms': 0,
    'num.partitions': 1,
    // A minute by default: what a deleted topic held would be written to the disk while the next one is measured.
    'log.segment.delete.delay.ms': 100,
    'default.replication.factor': copies,
    'offsets.topic.num.partitions': 4,
    'offsets.topic.replication.factor': copies,
    'transaction.state.log.num.partitions': 4,
    'transaction.state.log.replication.factor': copies,
    'transaction.state.log.min.isr': 1,
    ...(several && SEVERAL),
  }
  return Object.entries(properties)
    .map(([key, value]) => `${key}=${value}\n`)
    .join('')
}

/** As each broker tells kcat: it knows all brokers and the topics, and no replica lags. */
async function isWhole(bootstrap: string, count: number, topics: readonly string[]): Promise<boolean> {
  for (const broker of bootstrap.split(',')) {
    for (const topic of topics) {
      const {code, stdout} = await run('kcat', ['-b', broker, '-L', '-J', '-t', topic])
      if (code !== 0) return false
      const found = JSON.parse(stdout)
      const partitions: {isrs: object[]}[] = found.topics.flatMap(({partitions}: {partitions: object[]}) => partitions)
      const areWhole = partitions.length > 0 && partitions.every(({isrs}) => isrs.length === count)
      if (found.brokers.length < count || !areWhole) return false
    }
  }
  return true
}

/** Ports that nobody listens on now, no two alike. Kafka cannot tell which one it got when it is given 0. */
async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(Array.from({length: count}, listening))
  const ports = servers.map((server) => (server.address() as AddressInfo).port)
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))))
  return ports
}

function listening(): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => resolve(server))
  })
}

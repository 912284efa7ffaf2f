import {mkdtemp, rm, writeFile} from 'node:fs/promises'
import {createServer} from 'node:net'
import {tmpdir} from 'node:os'
import {join} from 'node:path'

import {installKafka} from './install.js'
import {javaArgs} from './java.js'
import {end, expectSuccess, start} from './processes.js'

export type RealKafka = {bootstrap: string; stop(): Promise<void>}

/** Apache Kafka 3.9 itself: one node (KRaft), plaintext, on loopback, with its data in a temporary folder. */
export async function startRealKafka(): Promise<RealKafka> {
  const jars = await installKafka('3.9')
  const dir = await mkdtemp(join(tmpdir(), 'skk-real-kafka-'))
  const [port, controllerPort] = await Promise.all([freePort(), freePort()])
  const properties = join(dir, 'server.properties')
  await writeFile(properties, serverProperties(port, controllerPort, join(dir, 'data')))
  const format = ['kafka.tools.StorageTool', 'format', '--config', properties, '--cluster-id', 'c2trLWVuZ2luZS10ZXN0cw']
  await expectSuccess('java', [...javaArgs(jars), ...format])
  const broker = start('java', ['-Xms256m', ...javaArgs(jars), 'kafka.Kafka', properties])
  const log: string[] = []
  broker.stdout.on('data', (chunk: Buffer) => log.push(chunk.toString()))
  broker.stderr.on('data', (chunk: Buffer) => log.push(chunk.toString()))
  const stop = async () => {
    await end(broker)
    await rm(dir, {recursive: true, force: true})
  }
  const bootstrap = `127.0.0.1:${port}`
  try {
    // It opens its port only after it has joined its own quorum and is no longer fenced.
    await expectSuccess('java', [
      ...javaArgs(jars),
      'org.apache.kafka.tools.TopicCommand',
      '--bootstrap-server',
      bootstrap,
      '--list',
    ])
  } catch (cause) {
    await stop()
    throw new Error(`Kafka did not start:\n${log.join('')}`, {cause})
  }
  return {bootstrap, stop}
}

function serverProperties(port: number, controllerPort: number, dataDir: string): string {
  const properties = {
    'process.roles': 'broker,controller',
    'node.id': 1,
    'controller.quorum.voters': `1@127.0.0.1:${controllerPort}`,
    'controller.listener.names': 'CONTROLLER',
    listeners: `PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controllerPort}`,
    'advertised.listeners': `PLAINTEXT://127.0.0.1:${port}`,
    'log.dirs': dataDir,
    'auto.create.topics.enable': false,
    'group.initial.rebalance.delay.ms': 0,
    'num.partitions': 1,
    'offsets.topic.num.partitions': 4,
    'offsets.topic.replication.factor': 1,
    'transaction.state.log.num.partitions': 4,
    'transaction.state.log.replication.factor': 1,
    'transaction.state.log.min.isr': 1,
  }
  return Object.entries(properties)
    .map(([key, value]) => `${key}=${value}\n`)
    .join('')
}

/** A port that nobody listens on now. Kafka cannot tell which one it got when it is given 0. */
function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => resolve(typeof address === 'object' && address ? address.port : 0))
    })
  })
}

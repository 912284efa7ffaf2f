/** A node of RabbitMQ of its own, from Debian's package, in a temporary directory on free ports. */
import {mkdtemp, rm} from 'node:fs/promises'
import {createRequire} from 'node:module'
import {tmpdir} from 'node:os'
import {join} from 'node:path'

import {installRabbitmq} from '../engines/install.js'
import {end, eventually, start} from '../engines/processes.js'
import {freePort} from './free-port.js'

export type Rabbitmq = {
  port: number
  /** A connection that the caller closes. */
  connect(): Promise<Connection>
  /** Ends the node as a crash does. */
  kill(): Promise<void>
  /** Starts it again, with what its disk has. */
  start(): Promise<void>
  stop(): Promise<void>
}

/** The part of amqplib that is used here. */
type Connection = {
  createConfirmChannel(): Promise<Channel>
  close(): Promise<void>
  on(event: string, listener: (error: Error) => void): void
}

export type Channel = {
  assertQueue(name: string, options: object): Promise<unknown>
  checkQueue(name: string): Promise<{messageCount: number}>
  publish(exchange: string, key: string, content: Buffer, options: object): boolean
  waitForConfirms(): Promise<void>
  get(queue: string, options: object): Promise<Delivery | false>
  ack(delivery: Delivery, allUpTo?: boolean): void
  nackAll(requeue?: boolean): void
  on(event: string, listener: (error: Error) => void): void
}

export type Delivery = {
  content: Buffer
  fields: {redelivered: boolean; routingKey: string}
  properties: {messageId?: string; headers?: Record<string, any>; [name: string]: unknown}
}

/** `project` is a directory whose dependencies have amqplib. */
export async function startRabbitmq(project: string): Promise<Rabbitmq> {
  const bin = await installRabbitmq()
  const dir = await mkdtemp(join(tmpdir(), 'skk-rabbitmq-'))
  const [port, distribution, mapper] = [await freePort(), await freePort(), await freePort()]
  const at = {HOME: dir, ERL_EPMD_PORT: String(mapper), ERL_EPMD_ADDRESS: '127.0.0.1'}
  const env = {
    ...at,
    RABBITMQ_NODENAME: `skk-${port}@localhost`,
    RABBITMQ_NODE_IP_ADDRESS: '127.0.0.1',
    RABBITMQ_NODE_PORT: String(port),
    RABBITMQ_DIST_PORT: String(distribution),
    RABBITMQ_MNESIA_BASE: join(dir, 'mnesia'),
    RABBITMQ_LOGS: '-',
    RABBITMQ_CONFIG_FILE: join(dir, 'none'),
    RABBITMQ_CONF_ENV_FILE: join(dir, 'none'),
    RABBITMQ_ENABLED_PLUGINS_FILE: join(dir, 'plugins'),
    RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: '-kernel inet_dist_use_interface {127,0,0,1}',
    // The script becomes the server then, so that what is ended is the server.
    RUNNING_UNDER_SYSTEMD: 'true',
  }
  // The node starts one in the background, and leaves it there, unless one is there.
  const names = start('epmd', [], {env: at})
  const connect = async (): Promise<Connection> => {
    const {connect: open} = createRequire(join(project, 'package.json'))('amqplib')
    const connection: Connection = await open({hostname: '127.0.0.1', port, username: 'guest', password: 'guest'})
    connection.on('error', () => {})
    return connection
  }
  let node = start(join(bin, 'rabbitmq-server'), [], {env})
  const untilUp = () =>
    eventually(async () => {
      const connection = await connect().catch(() => undefined)
      await connection?.close()
      return connection !== undefined
    }, 120_000)
  await untilUp()
  return {
    port,
    connect,
    kill: () => end(node, 'SIGKILL'),
    async start() {
      node = start(join(bin, 'rabbitmq-server'), [], {env})
      await untilUp()
    },
    async stop() {
      await end(node)
      await end(names)
      await rm(dir, {recursive: true, force: true})
    },
  }
}

import {GetSecretValueCommand, SecretsManagerClient} from '@aws-sdk/client-secrets-manager'
import {type ChannelModel, type ConfirmChannel, connect} from 'amqplib'

import {type Publish, ReturnedError} from './core/deliver.ts'
import type {Publication} from './core/publication.ts'
import {PoisonError} from './lib/batch.ts'
import type {Deadline} from './lib/deadline.ts'

export type AmqpSettings = {
  host: string
  port: number
  vhost: string
  tls: boolean
  /** `guest` is RabbitMQ's own user, who may come from its own machine only. */
  auth: 'secret' | 'guest'
  /** ARN or name of a secret: JSON with `username` and `password`. */
  secretId: string
}

/** A sandbox may have been frozen: after such a pause nobody knows whether a connection is still one. */
const IDLE_MS = 60_000
const CONNECT_MS = 8000

/** A channel, which messages RabbitMQ has given back on it, and why it was closed. */
type Link = {model: ChannelModel; channel: ConfirmChannel; returned: Set<string>; reason?: Error}

/** One connection for all invocations of a sandbox, made when it is first needed and again after it broke. */
export function rabbitmq(settings: AmqpSettings): Publish {
  let opened: Promise<Link> | undefined
  let usedAt = 0
  let publishing = 0

  const drop = () => {
    opened?.then(({model}) => model.close()).catch(() => {})
    opened = undefined
  }
  const link = () => {
    if (publishing === 0 && Date.now() - usedAt > IDLE_MS) drop()
    if (opened) return opened
    const opening = openLink(settings)
    opened = opening
    const forget = () => {
      if (opened === opening) opened = undefined
    }
    opening.then(({model, channel}) => {
      channel.on('close', forget)
      model.on('close', forget)
    }, forget)
    return opening
  }
  return async (publication, deadline) => {
    const opening = link()
    publishing++
    try {
      await within(
        deadline,
        opening.then((open) => confirmed(open, publication)),
      )
    } catch (error) {
      // Whoever is late may be dead: the next attempt has a connection of its own.
      if (error instanceof LateError && opened === opening) drop()
      throw error
    } finally {
      publishing--
      usedAt = Date.now()
    }
  }
}

/** Heartbeats are off: a frozen sandbox cannot send any, and would be taken for dead. */
async function openLink({host, port, vhost, tls, ...login}: AmqpSettings): Promise<Link> {
  const address = {protocol: tls ? 'amqps' : 'amqp', hostname: host, port, vhost, heartbeat: 0, ...(await credentials(login))}
  const model = await connect(address, {timeout: CONNECT_MS, keepAlive: true, ...(tls && {servername: host})})
  // What happens to it is told to those who wait for a confirmation.
  model.on('error', () => {})
  const channel = await model.createConfirmChannel()
  const link: Link = {model, channel, returned: new Set()}
  channel.on('error', (error) => {
    link.reason = error
  })
  channel.on('close', () => void model.close().catch(() => {}))
  channel.on('return', ({properties}) => link.returned.add(properties.messageId))
  return link
}

/** RabbitMQ gives a message back before it confirms it. */
function confirmed(link: Link, {exchange, routingKey, content, properties}: Publication): Promise<void> {
  const {messageId} = properties
  return new Promise((resolve, reject) => {
    try {
      link.channel.publish(exchange, routingKey, content, {...properties, persistent: true, mandatory: true}, (error) => {
        const wasReturned = link.returned.delete(messageId)
        if (error) reject(link.reason ?? error)
        else if (wasReturned) reject(new ReturnedError(`no queue is bound to "${exchange}" for "${routingKey}"`))
        else resolve()
      })
    } catch (error) {
      const isOfMessage = error instanceof TypeError || error instanceof RangeError
      reject(isOfMessage ? new PoisonError(`AMQP cannot have it: ${error.message}`, {cause: error}) : error)
    }
  })
}

/** A password that was rotated is read anew by the next connection: nothing is kept of it. */
async function credentials({
  auth,
  secretId,
}: Pick<AmqpSettings, 'auth' | 'secretId'>): Promise<{username: string; password: string}> {
  if (auth === 'guest') return {username: 'guest', password: 'guest'}
  const {SecretString = ''} = await new SecretsManagerClient({}).send(new GetSecretValueCommand({SecretId: secretId}))
  let secret: {username?: unknown; password?: unknown} | null = null
  try {
    secret = JSON.parse(SecretString)
  } catch {
    // Said below, without a word of the secret.
  }
  const {username, password} = secret ?? {}
  if (typeof username === 'string' && typeof password === 'string') return {username, password}
  throw new Error('the secret of AMQP_SECRET_ID must be JSON with username and password')
}

class LateError extends Error {}

/** Rejects at the deadline; what the work comes to after that is nobody's. */
function within<Value>(deadline: Deadline, work: Promise<Value>): Promise<Value> {
  work.catch(() => {})
  let timer: NodeJS.Timeout
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new LateError('RabbitMQ did not confirm it in time')), deadline.remainingMs())
  })
  return Promise.race([work, late]).finally(() => clearTimeout(timer))
}

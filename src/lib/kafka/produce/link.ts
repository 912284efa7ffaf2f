import {setTimeout as delay} from 'node:timers/promises'

import type {Compression} from '../../records/compression.js'
import {dropConnections} from '../broker.js'
import {BrokerError} from '../broker-error.js'
import {inTime, within} from '../client.js'
import {anyBroker, type Cluster, leaderOf} from '../cluster.js'
import {initProducerId, type ProducerId} from '../requests/init-producer-id.js'
import {type Acks, produce} from '../requests/produce.js'
import type {Compress} from './compressor.js'
import type {Link, Witness} from './deliver.js'
import {readBack} from './read-back.js'

/** Looking up one batch's fate; while the run is being stopped there is little time left. */
const READ_BACK_MS = 30_000
const HURRIED_READ_BACK_MS = 2_000

const CLUSTER_AUTHORIZATION_FAILED = 31

export type LinkOptions = {
  topic: string
  compression: Compression
  compress: Compress
  maxBatchBytes: number
  deliveryTimeoutMs: number
  requestTimeoutMs: number
  acks: Acks
  journal: Witness | null
  stopping(): boolean
  /** Told when a broker asks for a pause, which the connection keeps. */
  onThrottled(ms: number): void
  /** Called once, when the cluster does not let us be idempotent. */
  onNotIdempotent(error: BrokerError): void
}

/** Delivers over kafkajs' connections: its sockets, authentication, request queues and brokers, with requests of our own. */
export function linkTo(cluster: Cluster, options: LinkOptions): Link {
  const {topic, acks, stopping} = options
  // One identity serves all partitions, each with sequences of its own, until one of them has to give it up.
  let current: Promise<ProducerId | null> | undefined
  const ask = async (): Promise<ProducerId | null> => {
    if (acks !== 'all') return null
    const broker = await anyBroker(cluster)
    try {
      return await inTime(broker, options.requestTimeoutMs, initProducerId(broker))
    } catch (error) {
      if (!(error instanceof BrokerError && error.code === CLUSTER_AUTHORIZATION_FAILED)) throw error
      options.onNotIdempotent(error)
      return null
    }
  }
  const renew = (): Promise<ProducerId | null> => {
    const asked = ask()
    asked.catch(() => {
      if (current === asked) current = undefined
    })
    current = asked
    return asked
  }
  return {
    ...options,
    now: Date.now,
    sleep: delay,
    async producerId(retired): Promise<ProducerId | null> {
      const known = current
      const identity = await (known ?? renew())
      if (identity === null || identity.producerId !== retired?.producerId) return identity
      return current === known ? renew() : current!
    },
    async leader(partition) {
      const leader = await leaderOf(cluster, topic, partition)
      return async (batch, timeoutMs) => {
        const {sending, cancel} = produce(leader, {topic, partition, acks, timeoutMs}, batch)
        try {
          const answer = await within(timeoutMs, sending)
          options.onThrottled(answer.throttleMs)
          return answer
        } catch (error) {
          // Whatever went wrong, an answer that still comes must not be taken for one to the next request.
          cancel()
          dropConnections(leader)
          throw error
        }
      }
    },
    async refresh() {
      if (!cluster.isConnected()) await cluster.connect()
      await cluster.refreshMetadata()
    },
    readBack: ({partition, logEnd}, matches) => {
      const [forMs, requestTimeoutMs] = stopping()
        ? [HURRIED_READ_BACK_MS, HURRIED_READ_BACK_MS / 2]
        : [Math.min(READ_BACK_MS, options.deliveryTimeoutMs), options.requestTimeoutMs]
      return readBack(cluster, {topic, partition, from: logEnd, deadline: Date.now() + forMs, requestTimeoutMs}, matches)
    },
  }
}

import {setTimeout as delay} from 'node:timers/promises'

import type {Compression} from '../../records/compression.js'
import {dropConnections} from '../broker.js'
import {BrokerError} from '../broker-error.js'
import {within} from '../client.js'
import {anyBroker, type Cluster, leaderOf} from '../cluster.js'
import {initProducerId, type ProducerId} from '../requests/init-producer-id.js'
import {produce} from '../requests/produce.js'
import type {Link} from './deliver.js'
import {readBack} from './read-back.js'

/** Looking up one batch's fate; while the run is being stopped there is little time left. */
const READ_BACK_MS = 30_000
const HURRIED_READ_BACK_MS = 2_000

const CLUSTER_AUTHORIZATION_FAILED = 31

export type LinkOptions = {
  topic: string
  compression: Compression
  maxBatchBytes: number
  deliveryTimeoutMs: number
  requestTimeoutMs: number
  stopping(): boolean
  /** Called once, when the cluster does not let us be idempotent. */
  onNotIdempotent(error: BrokerError): void
}

/** Delivers over kafkajs' connections: its sockets, authentication, request queues and brokers, with requests of our own. */
export function linkTo(cluster: Cluster, options: LinkOptions): Link {
  const {topic, stopping} = options
  let idempotent = true
  return {
    ...options,
    now: Date.now,
    sleep: delay,
    async newProducerId(): Promise<ProducerId | null> {
      if (!idempotent) return null
      try {
        return await initProducerId(await anyBroker(cluster))
      } catch (error) {
        if (!(error instanceof BrokerError && error.code === CLUSTER_AUTHORIZATION_FAILED)) throw error
        if (idempotent) options.onNotIdempotent(error)
        idempotent = false
        return null
      }
    },
    async leader(partition) {
      const leader = await leaderOf(cluster, topic, partition)
      return async (batch, timeoutMs) => {
        try {
          return await within(timeoutMs, produce(leader, topic, partition, batch, timeoutMs))
        } catch (error) {
          // Whatever went wrong, an answer that still comes must not be taken for one to the next request.
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
      const deadline = Date.now() + (stopping() ? HURRIED_READ_BACK_MS : Math.min(READ_BACK_MS, options.deliveryTimeoutMs))
      return readBack(cluster, {topic, partition, from: logEnd, deadline}, matches)
    },
  }
}

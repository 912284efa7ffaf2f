import {setTimeout as delay} from 'node:timers/promises'

import {BrokerError} from './broker-error.js'
import type {Cluster} from './cluster.js'

const RETRY_MS = 200

/** How long connections may fail while a run is being prepared: unreachable has to be said within 10 s. */
export const PREPARE_MS = 8_000

/** Whether the same may succeed in a moment: kafkajs' errors about connections, and codes that pass. */
export function isTransient(error: unknown): boolean {
  if (error instanceof BrokerError) return error.retriable
  const {name, code, type} = error as {name?: string; code?: unknown; type?: string}
  if (type === 'SASL_AUTHENTICATION_FAILED' || name === 'KafkaJSSASLAuthenticationError') return false
  return code === 'ETIMEDOUT' || Boolean(name?.startsWith('KafkaJS'))
}

/** After a moment: connected again, where that is possible, and with leaders as they are now. */
export async function recovered(cluster: Cluster): Promise<void> {
  await delay(RETRY_MS)
  try {
    if (!cluster.isConnected()) await cluster.connect()
    await cluster.refreshMetadata()
  } catch {
    // What is tried next tells.
  }
}

/** The outcome of `work`, which is done again after each failure that `mayPass`, until `budgetMs` are over; then its last failure. */
export async function patiently<T>(
  cluster: Cluster,
  budgetMs: number,
  work: () => Promise<T>,
  mayPass: (error: unknown) => boolean = isTransient,
): Promise<T> {
  const deadline = performance.now() + budgetMs
  for (;;) {
    try {
      return await work()
    } catch (error) {
      if (performance.now() >= deadline || !mayPass(error)) throw error
    }
    await recovered(cluster)
  }
}

import {setTimeout as delay} from 'node:timers/promises'

import type {Broker} from '../broker.js'
import {BrokerError} from '../broker-error.js'
import {anyBroker, type Cluster} from '../cluster.js'
import {type Coordinator, findCoordinator} from '../requests/find-coordinator.js'

/** Loading its state, not yet chosen, and moved. */
const PASSING = [14, 15, 16]
const FIRST_WAIT_MS = 100
const ATTEMPTS = 6

/** What the group's coordinator answers to `request`; one that is loading or has just moved is asked again for 3 s. */
export const atCoordinator = <T>(
  cluster: Cluster,
  group: string,
  request: (coordinator: Broker, node: Coordinator) => Promise<T>,
): Promise<T> =>
  whileLoading(async () => {
    const node = await findCoordinator(await anyBroker(cluster), group)
    return request(await brokerWithId(cluster, node.nodeId), node)
  })

/** Tries again for 3 s while a broker answers that its coordinator is not ready. Throws its last answer as BrokerError. */
export async function whileLoading<T>(work: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work()
    } catch (error) {
      if (!(error instanceof BrokerError && PASSING.includes(error.code)) || attempt === ATTEMPTS) throw error
      await delay(FIRST_WAIT_MS * 2 ** (attempt - 1))
    }
  }
}

/** A connected broker. kafkajs knows those of its last metadata, and has none before it looked at a topic. */
export async function brokerWithId(cluster: Cluster, nodeId: number): Promise<Broker> {
  try {
    return await cluster.findBroker({nodeId})
  } catch (error) {
    // It has fetched the metadata by now.
    if ((error as Error).name !== 'KafkaJSBrokerNotFound') throw error
    return cluster.findBroker({nodeId})
  }
}

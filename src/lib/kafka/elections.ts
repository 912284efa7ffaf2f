import {SkkError} from '../errors.js'
import {BrokerError} from './broker-error.js'
import type {Cluster} from './cluster.js'
import {isTransient, patiently} from './patience.js'

/** A dead broker is noticed when its session ends (broker.session.timeout.ms, 9 s by default); then others lead its partitions. */
const ELECTION_MS = 15_000

/** What `work` asks of leaders; again, with new metadata and after `beforeAgain`, while one of them is being replaced. Throws its last error after 15 s. */
export async function throughElections<T>(
  cluster: Cluster,
  work: () => Promise<T>,
  beforeAgain: () => Promise<void> = async () => {},
): Promise<T> {
  let again = false
  const asked = async (): Promise<T> => {
    if (again) await beforeAgain()
    again = true
    return work()
  }
  return patiently(cluster, ELECTION_MS, asked, (error) => isElection(error, cluster))
}

/** When no broker can be reached by the address that it gives out, nobody is left to be elected. */
function isElection(error: unknown, {brokerPool}: Cluster): boolean {
  if (error instanceof SkkError) return error.code === 'NO_LEADER'
  if (error instanceof BrokerError) return error.retriable
  return isTransient(error) && Object.values(brokerPool.brokers).some((broker) => broker.isConnected())
}

/** Exit 5: nobody leads that partition. */
export const noLeader = (topic: string, partition: number, hint = 'Try again in a moment.'): SkkError =>
  new SkkError(`topic "${topic}", partition ${partition}, has no leader at the moment`, {
    code: 'NO_LEADER',
    exit: 'unavailable',
    hint,
  })

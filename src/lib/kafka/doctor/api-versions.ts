import {Reader} from '../wire.js'
import {addressOf, type Finding, fault, type Place} from './check.js'
import type {Exchange} from './exchange.js'

type Range = readonly [min: number, max: number]

/** One API that skk uses. */
export type ApiVersion = {
  /** Broker that was asked. */
  target: string
  key: number
  api: string
  /** What the broker serves; null: nothing. */
  broker: Range | null
  /** What skk can send. */
  ours: Range
  status: 'ok' | 'below minimum' | 'above maximum' | 'missing'
}

type Ours = {key: number; api: string; versions: Range; essential?: true}

/**
 * What requests/*.ts send, and kafkajs 2.2.4 for the rest; doctor.test.ts compares them. OffsetCommit and FindCoordinator are
 * sent by both, and kafkajs' versions, for a member of a group, are the older ones. Without the essential ones nothing can be
 * produced or consumed.
 */
export const OURS: readonly Ours[] = [
  {key: 0, api: 'Produce', versions: [3, 7], essential: true},
  {key: 1, api: 'Fetch', versions: [4, 11], essential: true},
  {key: 2, api: 'ListOffsets', versions: [2, 5], essential: true},
  {key: 3, api: 'Metadata', versions: [4, 7], essential: true},
  {key: 8, api: 'OffsetCommit', versions: [0, 5]},
  {key: 9, api: 'OffsetFetch', versions: [3, 5]},
  {key: 10, api: 'FindCoordinator', versions: [0, 2]},
  {key: 11, api: 'JoinGroup', versions: [0, 5]},
  {key: 12, api: 'Heartbeat', versions: [0, 3]},
  {key: 13, api: 'LeaveGroup', versions: [0, 3]},
  {key: 14, api: 'SyncGroup', versions: [0, 3]},
  {key: 15, api: 'DescribeGroups', versions: [1, 4]},
  {key: 16, api: 'ListGroups', versions: [1, 2]},
  {key: 17, api: 'SaslHandshake', versions: [0, 1]},
  {key: 18, api: 'ApiVersions', versions: [0, 2]},
  {key: 19, api: 'CreateTopics', versions: [2, 4]},
  {key: 20, api: 'DeleteTopics', versions: [1, 3]},
  {key: 22, api: 'InitProducerId', versions: [0, 1]},
  {key: 32, api: 'DescribeConfigs', versions: [1, 3]},
  {key: 36, api: 'SaslAuthenticate', versions: [0, 1]},
  {key: 37, api: 'CreatePartitions', versions: [0, 1]},
  {key: 42, api: 'DeleteGroups', versions: [0, 1]},
  {key: 44, api: 'IncrementalAlterConfigs', versions: [0, 0]},
  {key: 47, api: 'OffsetDelete', versions: [0, 0]},
]

export type Served = Record<number, {minVersion: number; maxVersion: number}>

/** What the broker serves, against what we send. Throws SkkError when something essential is in no common version. */
export async function askApiVersions(place: Place, exchange: Exchange): Promise<Finding & {served: Served; table: ApiVersion[]}> {
  const served = await ask(exchange)
  const table = compare(addressOf(place), served)
  const essential = table.find(({key, status}) => status !== 'ok' && OURS.find((ours) => ours.key === key)!.essential)
  if (essential) throw versionFault(place, essential)
  const rest = table.filter(({status}) => status !== 'ok').map(({api, status}) => `${api} ${status}`)
  const detail = `${Object.keys(served).length} APIs${rest.length > 0 ? `; ${rest.join(', ')}` : ''}`
  return {served, table, detail}
}

/** A broker that does not know v2 says so in the form of v0, and adds what it serves (KIP-511). */
async function ask(exchange: Exchange): Promise<Served> {
  const answer = new Reader(await exchange.ask(18, 2, Buffer.alloc(0)))
  answer.int16()
  const ranges = answer.array(() => [answer.int16(), {minVersion: answer.int16(), maxVersion: answer.int16()}] as const)
  return Object.fromEntries(ranges)
}

/** Pure. */
export function compare(target: string, served: Served): ApiVersion[] {
  return OURS.map(({key, api, versions}) => {
    const range = served[key]
    const broker: Range | null = range ? [range.minVersion, range.maxVersion] : null
    return {target, key, api, broker, ours: versions, status: statusOf(broker, versions)}
  })
}

function statusOf(broker: Range | null, [min, max]: Range): ApiVersion['status'] {
  if (broker === null) return 'missing'
  if (max < broker[0]) return 'below minimum'
  return min > broker[1] ? 'above maximum' : 'ok'
}

function versionFault(place: Place, {api, broker, ours, status}: ApiVersion) {
  const where = `"${addressOf(place)}"`
  const theirs = broker === null ? 'none' : `${broker.join('-')}`
  return fault(
    `${where} speaks version ${theirs} of ${api}, and skk ${ours.join('-')}`,
    status === 'below minimum' ? 'Update skk with `npm install --global skk@latest`.' : 'Use brokers of Kafka 2.1 or later.',
  )
}

import type {Cluster} from '../cluster.js'
import type {Group} from '../groups.js'
import {type LagSample, lagsOf, type PartitionLag, timeToClear} from './lag.js'

/** A group with its lag: the sum in records, and the age of the oldest record that waits. */
export type Lagging = Group & {
  source: 'brokers'
  /** Epoch time of the look, ISO 8601. */
  at: string
  lag: number
  /** Null when it is not known for any of the partitions that lag. */
  lagMs: number | null
  /** Until the last partition is clear; null while one does not get better, or there was only one look. */
  timeToClearMs: number | null
  partitions: (PartitionLag & {timeToClearMs: number | null})[]
}

/** How far the rate looks back. */
const SAMPLES = 12

/** One look at a group. Throws kafkajs' errors and BrokerError. */
export async function lagReport(cluster: Cluster, group: Group): Promise<Lagging> {
  const lags = await lagsOf(cluster, group)
  const lagging = lags.filter(({lag}) => lag !== null && lag > 0)
  const times = lagging.flatMap(({lagMs}) => lagMs ?? [])
  return {
    ...group,
    source: 'brokers',
    at: new Date().toISOString(),
    lag: lagging.reduce((sum, {lag}) => sum + lag!, 0),
    lagMs: lagging.length > 0 && times.length === 0 ? null : Math.max(0, ...times),
    timeToClearMs: lagging.length === 0 ? 0 : null,
    partitions: lags.map((each) => ({...each, timeToClearMs: each.lag === 0 ? 0 : null})),
  }
}

/** Adds to each look the time to clear, at the rate over this and the last looks. */
export function lagWatch(): (report: Lagging) => Lagging {
  const samples = new Map<string, LagSample[]>()
  return (report) => {
    const at = Date.parse(report.at)
    const partitions = report.partitions.map((each) => {
      const key = `${each.partition} ${each.topic}`
      const seen = [...(samples.get(key) ?? []), {at, lag: each.lag ?? 0}].slice(-SAMPLES)
      samples.set(key, seen)
      return {...each, timeToClearMs: timeToClear(seen[0]!, seen.at(-1)!)}
    })
    const times = partitions.map(({timeToClearMs}) => timeToClearMs)
    return {...report, partitions, timeToClearMs: times.includes(null) ? null : Math.max(0, ...times.map(Number))}
  }
}

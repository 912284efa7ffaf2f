import {SkkError} from '../../errors.js'
import type {Lagging} from './report.js'

/** How far a partition may lag: so many records, or so long. */
export type Bound = {records: number} | {ms: number; text: string}

/** Null where no partition lags by more; else what to fail with: conflict, or unavailable where it cannot be told. */
export function failureOfLag({name, partitions}: Lagging, bound: Bound): SkkError | null {
  const isOver = ({lag, lagMs}: Lagging['partitions'][number]): boolean =>
    'records' in bound ? (lag ?? 0) > bound.records : (lagMs ?? 0) > bound.ms
  const over = partitions.filter(isOver)
  const limit = 'records' in bound ? `${bound.records} records` : bound.text
  if (over.length > 0) {
    return lagsByMore(
      name,
      limit,
      over.map(({topic, partition}) => `"${topic}" ${partition}`),
    )
  }
  const unknown = 'records' in bound ? [] : partitions.filter(({lag, lagMs}) => lag !== null && lag > 0 && lagMs === null)
  if (unknown.length === 0) return null
  const where = unknown.map(({topic, partition}) => `"${topic}" ${partition}`).join(', ')
  return new SkkError(`how long group "${name}" lags cannot be told for ${where}: the next record cannot be read`, {
    code: 'LAG_UNKNOWN',
    exit: 'unavailable',
    hint: 'Allow kafka-cluster:ReadData on the topic, or give the bound as a number of records.',
    retryable: false,
  })
}

/** What is known without the brokers: a sum by topic, and no age of a record. */
type Sums = {name: string; topics: readonly {topic: string; lag: number}[]}

/** As `failureOfLag`, by topic instead of by partition. */
export function failureOfMetrics({name, topics}: Sums, bound: Bound): SkkError | null {
  if (!('records' in bound)) {
    return new SkkError(`how long group "${name}" lags cannot be told without a route to the brokers`, {
      code: 'LAG_UNKNOWN',
      exit: 'unavailable',
      hint: 'Give the bound as a number of records.',
      retryable: false,
    })
  }
  const over = topics.filter(({lag}) => lag > bound.records)
  if (over.length === 0) return null
  return lagsByMore(
    name,
    `${bound.records} records`,
    over.map(({topic}) => `"${topic}"`),
  )
}

const lagsByMore = (name: string, limit: string, where: readonly string[]): SkkError =>
  new SkkError(`group "${name}" lags by more than ${limit} in ${where.join(', ')}`, {
    code: 'LAG_OVER_BOUND',
    exit: 'conflict',
    hint: `Watch it with \`skk groups describe ${name} --watch\`.`,
    retryable: true,
  })

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
    const where = over.map(({topic, partition}) => `"${topic}" ${partition}`).join(', ')
    return new SkkError(`group "${name}" lags by more than ${limit} in ${where}`, {
      code: 'LAG_OVER_BOUND',
      exit: 'conflict',
      hint: `Watch it with \`skk groups describe ${name} --watch\`.`,
      retryable: true,
    })
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

import {SkkError} from '../../errors.js'
import type {Cluster} from '../cluster.js'
import {EARLIEST, LATEST} from '../requests/list-offsets.js'
import {offsetsAt} from '../topics.js'
import type {Span} from './plan.js'

/** Offsets of a partition that retention has taken before they were read: from `from` to before `to`. */
export type Gap = {
  partition: number
  from: number
  to: number /** What is to be said where no gap is allowed. */
  error: SkkError
}

/**
 * Why the leader has nothing at the position: the gap up to the first offset that is left, or, as an error, that the partition ends
 * before it.
 */
export async function outOfRange(cluster: Cluster, topic: string, {partition, position}: Span): Promise<Gap | SkkError> {
  const metadata = cluster.findTopicPartitionMetadata(topic).map(({partitionId, leader}) => ({partition: partitionId, leader}))
  const asked = metadata.filter((found) => found.partition === partition)
  const [earliest, latest] = await Promise.all([
    offsetsAt(cluster, topic, asked, EARLIEST),
    offsetsAt(cluster, topic, asked, LATEST),
  ])
  const first = earliest.get(partition) ?? 0
  if (position <= first) return gapOf(topic, partition, position, first)
  return beyondEnd(topic, partition, position, latest.get(partition) ?? 0)
}

/** The gap between what was asked for and the first offset that is left; its error is exit 9. */
export function gapOf(topic: string, partition: number, from: number, to: number): Gap {
  const size = `${to - from} ${to - from === 1 ? 'offset' : 'offsets'}`
  const error = new SkkError(
    `offset ${from} of topic "${topic}", partition ${partition}, is gone; ${to} is the first that is left, ${size} later`,
    {
      code: 'OFFSET_OUT_OF_RANGE',
      exit: 'localIo',
      hint: `Start with \`--from ${to}\` or \`--from beginning\`, or leave out what is gone with \`--on-gap skip\`.`,
    },
  )
  return {partition, from, to, error}
}

/** Exit 9: what was read up to `position` is not the topic that is there now. */
export function beyondEnd(topic: string, partition: number, position: number, end: number): SkkError {
  return new SkkError(`topic "${topic}", partition ${partition}, ends at offset ${end}, before offset ${position}`, {
    code: 'OFFSET_OUT_OF_RANGE',
    exit: 'localIo',
    hint: `The topic was emptied or made anew; see what it holds with \`skk topics describe ${topic}\`.`,
  })
}

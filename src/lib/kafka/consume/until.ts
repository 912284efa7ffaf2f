import {type Cluster, leadersOf} from '../cluster.js'
import {LATEST} from '../requests/list-offsets.js'
import {offsetsAt} from '../topics.js'
import type {Span} from './plan.js'

type Topic = {cluster: Cluster; topic: string; readCommitted: boolean}

/** Whether a span goes on until a time of which nobody knew, when it was planned, which offset it would be. */
const isOpen = ({end, until}: Span): boolean => end === null && until !== undefined

/** Whether a batch whose latest record is of `maxTimestamp` may hold the end of the span. */
export const mayEndIn = (span: Span, maxTimestamp: number): boolean => isOpen(span) && maxTimestamp >= span.until!

/** Those of `spans` whose time has come, by the clock. */
export const due = <S extends Span>(spans: readonly S[]): S[] => spans.filter((span) => isOpen(span) && Date.now() >= span.until!)

/**
 * Pins the end of each span at the first record that is as late as its time; where there is none, at what is the end of the
 * partition now, once that time has passed.
 */
export async function pinEnds({cluster, topic, readCommitted}: Topic, spans: readonly Span[]): Promise<void> {
  const leaders = leadersOf(cluster, topic)
  await Promise.all(
    spans.map(async (span) => {
      const {partition, until} = span
      const offsetOf = async (timestamp: number): Promise<number> => {
        const asked = [{partition, leader: leaders.get(partition) ?? -1}]
        return (await offsetsAt(cluster, topic, asked, timestamp, {readCommitted})).get(partition) ?? -1
      }
      const isOver = Date.now() >= until!
      const found = await offsetOf(until!)
      const end = found < 0 && isOver ? await offsetOf(LATEST) : found
      if (end >= 0) span.end = end
    }),
  )
}

import type {SourceRecord} from '../../lambda/event.js'
import type {RecordSource} from '../../lambda/mapping.js'
import {decodeBatch, isControl, readBatchHeader, timestampType} from '../../records/batch.js'
import type {Broker, Topic} from '../kafka/broker.js'
import type {PartitionLog} from '../kafka/log.js'
import type {MappingRecord} from './mapping-record.js'

type Fetched = Awaited<ReturnType<RecordSource['fetch']>>

/** The records of a topic, read from its logs in this process. */
export function partitionSource(broker: Broker, topicName: string): RecordSource {
  return {
    async fetch(partition, wanted, {maxBytes, waitMs, signal}): Promise<Fetched> {
      const log = broker.topics.get(topicName)?.partitions[partition]
      if (!log) throw new Error(`the topic "${topicName}" has no partition ${partition}`)
      if (wanted >= log.highWatermark) await appended(log, waitMs, signal)
      // Retention may have passed by.
      const offset = Math.max(wanted, log.logStartOffset)
      if (offset >= log.highWatermark || signal.aborted) return {records: [], nextOffset: offset}
      return decode(await log.read(offset, maxBytes, {atLeastOneBatch: true}), partition, offset)
    },
  }
}

async function decode(bytes: Buffer, partition: number, offset: number): Promise<Fetched> {
  const records: SourceRecord[] = []
  let nextOffset = offset
  for (let at = 0; at < bytes.length; ) {
    const header = readBatchHeader(bytes, at)
    const type = timestampType(header) === 'CreateTime' ? 'CREATE_TIME' : 'LOG_APPEND_TIME'
    const decoded = isControl(header) ? [] : await decodeBatch(bytes, at)
    for (const record of decoded) if (record.offset >= offset) records.push({...record, partition, timestampType: type})
    nextOffset = header.baseOffset + header.lastOffsetDelta + 1
    at += header.sizeInBytes
  }
  return {records, nextOffset}
}

/** Resolves with the next write to the log, after `ms`, or when `signal` aborts. */
function appended(log: PartitionLog, ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer)
      stop()
      signal.removeEventListener('abort', done)
      resolve()
    }
    const timer = setTimeout(done, ms)
    const stop = log.onAppend(done)
    signal.addEventListener('abort', done, {once: true})
    if (signal.aborted) done()
  })
}

/**
 * Where the mapping begins in each of the `partitions`: at what its group has committed, else at its starting position. A
 * partition that the topic got later is read from its start, whatever the position.
 */
export async function startOffsets(
  broker: Broker,
  {partitions: logs}: Topic,
  partitions: readonly number[],
  mapping: Pick<MappingRecord, 'groupId' | 'topic' | 'startingPosition' | 'startingTimestamp'>,
): Promise<Map<number, number>> {
  const {groupId, topic, startingPosition, startingTimestamp} = mapping
  const committed = broker.groups.offsetsOf(groupId)
  const isNew = (committed?.partitions(topic).length ?? 0) === 0
  const starts = new Map<number, number>()
  for (const partition of partitions) {
    const log = logs[partition]!
    const offset = committed?.get(topic, partition)?.offset
    if (offset !== undefined && offset >= log.logStartOffset && offset <= log.highWatermark) starts.set(partition, offset)
    else if (isNew && startingPosition === 'LATEST') starts.set(partition, log.highWatermark)
    else if (isNew && startingPosition === 'AT_TIMESTAMP') starts.set(partition, await offsetAt(log, startingTimestamp ?? 0))
    else starts.set(partition, log.logStartOffset)
  }
  return starts
}

/** How many offsets each partition has behind what the mapping's group has committed of it; nothing of those that it has not. */
export function lagsOf({topics, groups}: Broker, {groupId, topic}: Pick<MappingRecord, 'groupId' | 'topic'>): number[] {
  const committed = groups.offsetsOf(groupId)
  return (topics.get(topic)?.partitions ?? []).flatMap((log, partition) => {
    const offset = committed?.get(topic, partition)?.offset
    return offset === undefined ? [] : [Math.max(0, log.highWatermark - offset)]
  })
}

const offsetAt = async (log: PartitionLog, timestamp: number): Promise<number> =>
  (await log.offsetForTimestamp(timestamp))?.offset ?? log.highWatermark

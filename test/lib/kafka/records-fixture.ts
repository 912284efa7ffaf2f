import {Readable} from 'node:stream'

import {onTestFinished, vi} from 'vitest'

import type {Cluster} from '../../../src/lib/kafka/cluster.js'
import {type FetchedBatch, fetchSpans} from '../../../src/lib/kafka/consume/fetch-loop.js'
import {planSpans} from '../../../src/lib/kafka/consume/plan.js'
import {linesOf, type ParseLine} from '../../../src/lib/kafka/produce/lines.js'
import {type LineFormat, lineOf, lineParser} from '../../../src/lib/kafka/produce/records.js'
import {type ProduceEvents, type ProduceOptions, type ProduceReport, produceRecords} from '../../../src/lib/kafka/produce/run.js'
import {type DecodedRecord, recordAt} from '../../../src/lib/records/batch.js'
import {forEachRecord} from '../../../src/lib/records/record.js'

export const TOPIC = 'orders'

const silent = {onCarriageReturn() {}, onNotIdempotent() {}, onWaiting() {}, onProgress() {}}

/** Lines as values, unless something else is said. */
export const plainLines: LineFormat = {
  keySeparator: null,
  missingKeyIsNull: false,
  key: null,
  headers: [],
  partition: null,
}

export const numbers = (count: number, from = 0): string => Array.from({length: count}, (_, i) => `${from + i}\n`).join('')

/** Produces what standard input gives. */
export async function produceText(
  cluster: Cluster,
  input: string | AsyncIterable<Buffer>,
  {parse = lineParser(plainLines), ...options}: Partial<ProduceOptions> & {parse?: ParseLine} = {},
  events: Partial<ProduceEvents> = {},
): Promise<ProduceReport> {
  const stream = typeof input === 'string' ? Readable.from([Buffer.from(input)]) : Readable.from(input)
  const spy = vi.spyOn(process, 'stdin', 'get').mockReturnValue(stream as never)
  onTestFinished(() => spy.mockRestore())
  return produceRecords(
    cluster,
    {
      topic: TOPIC,
      inputs: [{name: 'standard input', bytes: null, modified: null}],
      read: linesOf(parse),
      lineOf: lineOf(plainLines),
      repeat: 1,
      partition: null,
      keyed: false,
      random: () => 0,
      compression: 'none',
      acks: 'all',
      deliveryTimeoutMs: 20_000,
      dryRun: false,
      idHeader: null,
      limit: Number.POSITIVE_INFINITY,
      rate: null,
      onBadLine: 'stop',
      reportPath: null,
      rejectsPath: null,
      token: null,
      signal: new AbortController().signal,
      ...options,
    },
    {...silent, ...events},
  )
}

/** All values of the topic, by partition in order of their offsets. */
export async function valuesOf(cluster: Cluster): Promise<string[]> {
  const spans = await planSpans(cluster, {
    topic: TOPIC,
    partitions: null,
    from: {kind: 'beginning'},
    to: null,
    follow: false,
    readCommitted: true,
  })
  const values: {partition: number; value: string}[] = []
  await fetchSpans(cluster, spans, {
    topic: TOPIC,
    readCommitted: true,
    timeoutMs: 10_000,
    signal: new AbortController().signal,
    onBatch: async (batch) => {
      for (const {value} of recordsOf(batch)) values.push({partition: batch.partition, value: value!.toString()})
      return true
    },
  })
  return values.sort((a, b) => a.partition - b.partition).map(({value}) => value)
}

/** The records of a batch that were asked for. */
export function recordsOf({section, header, first, end}: FetchedBatch): DecodedRecord[] {
  const records: DecodedRecord[] = []
  if (section) forEachRecord(section, header, (bounds) => records.push(recordAt(section, bounds)))
  return records.filter(({offset}) => offset >= first && offset < end)
}

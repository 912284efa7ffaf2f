import {withCluster} from '../../src/lib/kafka/client.js'
import {sources} from '../../src/lib/kafka/produce/input.js'
import {linesOf} from '../../src/lib/kafka/produce/lines.js'
import {lineOf, lineParser} from '../../src/lib/kafka/produce/records.js'
import {type ProduceReport, produceRecords} from '../../src/lib/kafka/produce/run.js'
import type {KafkaTarget} from '../../src/lib/kafka/target.js'
import type {Compression} from '../../src/lib/records/compression.js'

export type ProduceRun = {
  topic: string
  file: string
  keyed: boolean
  compression: Compression
  deliveryTimeoutMs: number
  /** Called when records are being sent. */
  onStart(): void
}

/**
 * What `skk produce TOPIC --file FILE` does, in this process, with its token and journal; one attempt may take only half a second, so
 * that faults pass quickly.
 */
export const produceFile = (
  kafka: KafkaTarget,
  {topic, file, keyed, compression, deliveryTimeoutMs, onStart}: ProduceRun,
): Promise<ProduceReport> => {
  const format = {keySeparator: keyed ? Buffer.from(':') : null, missingKeyIsNull: false, key: null, headers: [], partition: null}
  return withCluster(kafka, async (cluster) =>
    produceRecords(
      cluster,
      {
        topic,
        inputs: await sources([file]),
        read: linesOf(lineParser(format)),
        lineOf: lineOf(format),
        partition: null,
        keyed,
        compression,
        acks: 'all',
        deliveryTimeoutMs,
        requestTimeoutMs: 500,
        dryRun: false,
        idHeader: null,
        repeat: 1,
        limit: Number.POSITIVE_INFINITY,
        rate: null,
        onBadLine: 'stop',
        reportPath: null,
        rejectsPath: null,
        token: {path: `${file}.${topic}`, mode: 'new', settings: {}},
        signal: new AbortController().signal,
      },
      {onCarriageReturn() {}, onNotIdempotent() {}, onWaiting() {}, onProgress: () => onStart()},
    ),
  )
}

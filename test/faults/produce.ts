import {withCluster} from '../../src/lib/kafka/client.js'
import {sources} from '../../src/lib/kafka/produce/input.js'
import {lineParser} from '../../src/lib/kafka/produce/records.js'
import {type ProduceReport, produceLines} from '../../src/lib/kafka/produce/run.js'
import type {KafkaTarget} from '../../src/lib/kafka/target.js'
import type {Compression} from '../../src/lib/records/compression.js'

export type ProduceRun = {
  topic: string
  file: string
  keyed: boolean
  compression: Compression
  deliveryTimeoutMs: number /** Called when records are being sent. */
  onStart(): void
}

/** What `skk produce TOPIC --file FILE` does, in this process; one attempt may take only half a second, so that faults pass quickly. */
export const produceFile = (
  kafka: KafkaTarget,
  {topic, file, keyed, compression, deliveryTimeoutMs, onStart}: ProduceRun,
): Promise<ProduceReport> =>
  withCluster(kafka, async (cluster) =>
    produceLines(
      cluster,
      {
        topic,
        inputs: await sources([file]),
        parse: lineParser({
          keySeparator: keyed ? Buffer.from(':') : null,
          missingKeyIsNull: false,
          key: null,
          headers: [],
          partition: null,
        }),
        keyed,
        compression,
        deliveryTimeoutMs,
        requestTimeoutMs: 500,
        dryRun: false,
        signal: new AbortController().signal,
      },
      {onCarriageReturn() {}, onNotIdempotent() {}, onProgress: () => onStart()},
    ),
  )

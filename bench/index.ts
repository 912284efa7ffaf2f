/**
 * What skk costs beside programs that do the same, printed as ratios and never asserted: 5 or 7 rounds, in each of which the two
 * alternate on the same machine, and the median of the rounds' ratios. Times of a busy machine mean nothing, such ratios do.
 *
 * Yardsticks, and where their sources are:
 * - kcat 1.7.1 on librdkafka 2.0.2, as Debian 12 has them: github.com/edenhill/kcat, github.com/confluentinc/librdkafka. Both sides of a
 *   comparison use the same client with the same options; those of consuming are tuned, because with its defaults kcat waits for
 *   most of the time.
 * - librdkafka's mock cluster (src/rdkafka_mock.c), the fastest broker that a laptop has: C, in memory, keeps the last
 *   megabytes of a partition. In a process of its own, through confluent-kafka-python.
 * - Apache Kafka 3.9 (KRaft, one node, 512 MB of heap, the quick compiler only): github.com/apache/kafka. Its own
 *   kafka-producer-perf-test and kafka-console-consumer run as they are shipped, but for a heap of 512 MB; the first takes its records at
 *   random from the first 100,000 lines of the file, which it holds in memory.
 * - kafkajs 2.2.4 (github.com/tulios/kafkajs) as a program would use it: kafkajs-send.js.
 * - `node -e 0`: what any Node program costs at least.
 *
 * `consume` and `produce` are skk's own, beside kcat: SKK_BENCH_ROUNDS (7) rounds over SKK_BENCH_MILLIONS (5) of records, and over one
 * million without a goal, where start-up is a third. kcat -J and -f write less than the envelope and the template hold. The goals of `produce`
 * are those of its table in produce.ts; `consume` at most as long as kcat, with --json 0.7 times as long, in at most 200 MB.
 *
 * `others` puts skk beside Kafka's tools, kafkajs and the time that MSK Serverless's quota of 5 MB/s for each partition would set;
 * `features` says what token, journal and idempotence cost, by leaving them out; `memory` compares the peaks of ten million records and
 * of one, which should be alike. The first two have no goals; the third has those of `produce` and `consume`. SKK_BENCH_DIVIDE=100
 * and SKK_BENCH_ROUNDS=1 try in minutes that all of it runs; the ratios mean nothing then.
 *
 * Goals of the others: producing at most 2.5 times the mock in at most 200 MB, consuming at most 2 times Kafka, Metadata at most 500 ms
 * after `local start`; on Node 20 `--version` at most 2.5 and `topics list` at most 4.5 times bare Node.
 */
import {consume} from './consume.js'
import {consuming} from './consuming.js'
import {features} from './features.js'
import {memory} from './memory.js'
import {others} from './others.js'
import {produce} from './produce.js'
import {producing} from './producing.js'
import type {Figure} from './rounds.js'
import {localStart, startUp} from './starting.js'

const all: Record<string, () => Promise<Figure[]> | AsyncGenerator<Figure>> = {
  producing,
  produce,
  consuming,
  consume,
  others,
  features,
  memory,
  local: localStart,
  startup: startUp,
}

const names = process.argv.length > 2 ? process.argv.slice(2) : Object.keys(all)
for (const name of names) {
  const measure = all[name]
  if (!measure) throw new Error(`"${name}" is none of ${Object.keys(all).join(', ')}`)
  for await (const {what, figure, goal, details} of await measure()) {
    process.stdout.write(`${what.padEnd(84)} ${figure.padStart(8)}   goal ${goal.padEnd(8)} ${details}\n`)
  }
}

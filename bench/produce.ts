import {installKcat, installNode} from '../test/engines/install.js'
import {emptyHome} from '../test/engines/skk.js'
import {startBrokers, type Target} from './brokers.js'
import {envelope, type Input, inputOf, keyValue, kilobyte, order} from './lines.js'
import {alternate, divided, type Figure, NODE, type Run, ratio, rounds, timedRun} from './rounds.js'
import {CLI} from './stack.js'

const PEAK_GOAL_MIB = 110

type Row = {what: string; goal: number | null; input: Input; target: Target; kcat?: readonly string[]; skk?: readonly string[]}

const MOCK: Target = {mock: {brokers: 3, roundTripMs: 0}}
const KAFKA: Target = {kafka: {partitions: 4}}
const slow = (brokers: number): Target => ({mock: {brokers, roundTripMs: 10}})
const ORDERS: Input = {line: order, lines: 5_000_000}
const KEYED: Input = {line: keyValue, lines: 5_000_000}
const MURMUR2 = {kcat: ['-K:', '-X', 'partitioner=murmur2_random'], skk: ['--key-separator', ':']}
const IDEMPOTENT = ['-X', 'enable.idempotence=true']

const ROWS: readonly Row[] = [
  {what: 'lines', goal: 0.75, input: ORDERS, target: MOCK},
  {what: 'lines, only 1,000,000: start-up is a third', goal: null, input: {line: order, lines: 1_000_000}, target: MOCK},
  {what: 'lines, skk local', goal: 0.75, input: ORDERS, target: {local: {partitions: 4}}},
  {what: 'lines, Apache Kafka', goal: 0.75, input: ORDERS, target: KAFKA},
  {what: 'lines, acks after 10 ms, 1 broker', goal: 1, input: ORDERS, target: slow(1), kcat: IDEMPOTENT},
  {what: 'lines, acks after 10 ms, 3 brokers', goal: 1, input: ORDERS, target: slow(3), kcat: IDEMPOTENT},
  {what: 'key:value, 4 partitions', goal: 1, input: KEYED, target: MOCK, ...MURMUR2},
  {what: 'key:value, 4 partitions, skk local', goal: 1, input: KEYED, target: {local: {partitions: 4}}, ...MURMUR2},
  {what: 'key:value, 4 partitions, Apache Kafka', goal: 1, input: KEYED, target: KAFKA, ...MURMUR2},
  {what: 'key:value, 200 partitions, skk local', goal: 0.8, input: KEYED, target: {local: {partitions: 200}}, ...MURMUR2},
  {what: 'key:value, 1,000 partitions, skk local', goal: 0.5, input: KEYED, target: {local: {partitions: 1_000}}, ...MURMUR2},
  {
    what: 'envelopes, kcat the same file raw',
    goal: 2,
    input: {...ORDERS, line: envelope},
    target: MOCK,
    skk: ['--format', 'records'],
  },
  {what: 'lines of 1 KB', goal: 1.5, input: {line: kilobyte, lines: 1_000_000}, target: MOCK},
  {what: 'lines of 1 KB, Apache Kafka', goal: 1.5, input: {line: kilobyte, lines: 1_000_000}, target: KAFKA},
  {what: 'lines, lz4', goal: 1, input: ORDERS, target: MOCK, kcat: ['-z', 'lz4'], skk: ['--compression', 'lz4']},
  {what: 'lines, zstd', goal: 1, input: ORDERS, target: MOCK, kcat: ['-z', 'zstd'], skk: ['--compression', 'zstd']},
]

/**
 * `skk produce` and kcat with the same file to the same broker, on the Node that is measured and on Node 24. Ledger, journal and
 * idempotence are on in skk; in kcat the last of these only where acknowledgements are late. For a short look,
 * SKK_BENCH_ONLY (a pattern of rows), SKK_BENCH_ROUNDS and SKK_BENCH_DIVIDE (of the number of lines) make it less.
 */
export async function* produce(): AsyncGenerator<Figure> {
  await installKcat()
  const wanted = new RegExp(process.env['SKK_BENCH_ONLY'] ?? '')
  for (const row of ROWS) if (wanted.test(row.what)) yield* await measured(row)
}

async function measured({what, goal, input, target, kcat = [], skk = []}: Row): Promise<Figure[]> {
  const file = await inputOf({...input, lines: divided(input.lines)})
  const {bootstrap, fresh, stop} = await startBrokers(target)
  const home = await emptyHome()
  try {
    const byKcat = (): Promise<Run> =>
      fresh((topic) => timedRun('kcat', ['-b', bootstrap, '-P', '-t', topic, '-l', ...kcat, file.path]))
    const bySkk = (node: string) => (): Promise<Run> => {
      const args = ['--bootstrap', bootstrap, '--auth', 'none', '--file', file.path, '--restart', '--quiet', ...skk]
      return fresh((topic) => timedRun(node, [CLI, 'produce', topic, ...args], home.env))
    }
    const nodes = [NODE, await installNode(24)]
    await byKcat()
    const [yardstick = [], ...all] = await alternate(rounds(7), [byKcat, ...nodes.map(bySkk)])
    return all.map((runs, index) => {
      const name = `skk produce, ${what}, ${index === 0 ? 'this Node' : 'Node 24'}: skk / kcat`
      const walls = [runs, yardstick].map((some) => some.map(({wall}) => wall))
      const figure = ratio(name, goal, walls[0]!, walls[1]!)
      const peakMiB = Math.max(...runs.map((run) => run.peakMiB))
      return {...figure, details: `${figure.details} peak ${peakMiB.toFixed(0)} MiB, goal <= ${PEAK_GOAL_MIB}`}
    })
  } finally {
    await Promise.all([stop(), file.remove(), home.remove()])
  }
}

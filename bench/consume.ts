import {installKcat, installNode} from '../test/engines/install.js'
import {expectSuccess} from '../test/engines/processes.js'
import {emptyHome} from '../test/engines/skk.js'
import {startKafka} from './brokers.js'
import {TUNED} from './consuming.js'
import {inputOf, LINES, order} from './lines.js'
import {alternate, divided, type Figure, NODE, peakMemory, ratio, rounds, timed} from './rounds.js'
import {CLI, startStack} from './stack.js'

const MILLIONS = Number(process.env['SKK_BENCH_MILLIONS'] ?? 5)
const TEMPLATE = '%p %o %k %s\\n'

/** What skk writes beside what kcat does; no goal where none was set. */
const WAYS = [
  {what: 'values', skk: [], kcat: [], goal: 1},
  {what: 'envelopes', skk: ['--json'], kcat: ['-J'], goal: 0.7},
  {what: 'a template', skk: ['--template', TEMPLATE], kcat: ['-f', TEMPLATE], goal: 1},
] as const

/**
 * skk and kcat consuming from `skk local` and from Apache Kafka, on each Node, and the memory that skk takes for it. For a short look,
 * SKK_BENCH_MILLIONS, SKK_BENCH_ROUNDS and SKK_BENCH_DIVIDE (of the size of a million) make it less.
 */
export async function* consume(): AsyncGenerator<Figure> {
  await installKcat()
  const [file, home] = [await inputOf({line: order, lines: divided(LINES)}), await emptyHome()]
  const nodes = [
    ['Node 20', NODE],
    ['Node 24', await installNode(24)],
  ] as const
  const [local, kafka] = [await startStack(), await startKafka()]
  const places = [
    {where: 'skk local', bootstrap: local.plaintextBootstrap, createTopic: local.createTopic, sizes: new Set([MILLIONS, 1])},
    {where: 'Apache Kafka', bootstrap: kafka.bootstrap, createTopic: kafka.createTopic, sizes: new Set([MILLIONS])},
  ]
  try {
    for (const {where, bootstrap, createTopic, sizes} of places) {
      for (const millions of sizes) {
        const topic = `orders-${millions}`
        await createTopic(topic)
        for (let i = 0; i < millions; i++)
          await expectSuccess('kcat', ['-b', bootstrap, '-P', '-t', topic, '-l', file.path], {timeoutMs: 600_000})
        for (const [name, node] of nodes) {
          const what = `${millions}M, ${where}, ${name}`
          for (const way of WAYS) yield await beside(bootstrap, topic, way, node, home.env, what)
          yield await memory(bootstrap, topic, node, home.env, what)
        }
      }
    }
  } finally {
    await Promise.all([local.stop(), kafka.stop(), file.remove(), home.remove()])
  }
}

const skkArgs = (bootstrap: string, topic: string, flags: readonly string[]): string[] => [
  CLI,
  'consume',
  topic,
  '--bootstrap',
  bootstrap,
  '--auth',
  'none',
  '--quiet',
  ...flags,
]

async function beside(
  bootstrap: string,
  topic: string,
  {what, skk, kcat, goal}: (typeof WAYS)[number],
  node: string,
  env: NodeJS.ProcessEnv,
  where: string,
): Promise<Figure> {
  const options = [...TUNED.flatMap((option) => ['-X', option]), ...kcat]
  const kcatArgs = ['-b', bootstrap, '-C', '-t', topic, '-o', 'beginning', '-e', '-q', ...options]
  const environment = {...process.env, ...env}
  const runs = [() => timed(node, skkArgs(bootstrap, topic, skk), environment), () => timed('kcat', kcatArgs)]
  const [measured = [], yardstick = []] = await alternate(rounds(7), runs)
  return ratio(`skk consume / kcat -C, ${what}, ${where}`, goal, measured, yardstick)
}

async function memory(bootstrap: string, topic: string, node: string, env: NodeJS.ProcessEnv, where: string): Promise<Figure> {
  const environment = {...process.env, ...env}
  const peaks: number[] = []
  for (const {skk} of WAYS) peaks.push(await peakMemory(node, skkArgs(bootstrap, topic, skk), environment))
  return {
    what: `memory of skk consume at its peak, ${where}`,
    figure: `${Math.max(...peaks).toFixed(0)} MiB`,
    goal: '<= 200',
    details: `(${WAYS.map(({what}, index) => `${what} ${peaks[index]!.toFixed(0)}`).join(', ')})`,
  }
}

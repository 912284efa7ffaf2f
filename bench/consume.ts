import {installKcat, installNode} from '../test/engines/install.js'
import {expectSuccess} from '../test/engines/processes.js'
import {emptyHome} from '../test/engines/skk.js'
import {TUNED} from './consuming.js'
import {fileOfLines} from './lines.js'
import {alternate, type Figure, NODE, peakMemory, ratio, timed} from './rounds.js'
import {CLI, type Stack, startStack} from './stack.js'

const ROUNDS = Number(process.env['SKK_BENCH_ROUNDS'] ?? 7)
const MILLIONS = Number(process.env['SKK_BENCH_MILLIONS'] ?? 5)
const TEMPLATE = '%p %o %k %s\\n'

/** What skk writes beside what kcat does; no goal where none was set. */
const WAYS = [
  {what: 'values', skk: [], kcat: [], goal: 1},
  {what: 'envelopes', skk: ['--json'], kcat: ['-J'], goal: 0.7},
  {what: 'a template', skk: ['--template', TEMPLATE], kcat: ['-f', TEMPLATE], goal: 1},
] as const

/** skk and kcat consuming from `skk local`, on each Node, and the memory that skk takes for it. */
export async function consume(): Promise<Figure[]> {
  await installKcat()
  const [stack, file, home] = [await startStack(), await fileOfLines(), await emptyHome()]
  const nodes = [
    ['Node 20', NODE],
    ['Node 24', await installNode(24)],
  ] as const
  try {
    const topics = [...new Set([MILLIONS, 1])]
    for (const millions of topics) {
      await stack.createTopic(`orders-${millions}`)
      for (let i = 0; i < millions; i++)
        await expectSuccess('kcat', ['-b', stack.plaintextBootstrap, '-P', '-t', `orders-${millions}`, '-l', file.path])
    }
    const figures: Figure[] = []
    for (const millions of topics) {
      for (const [name, node] of nodes) {
        for (const way of WAYS)
          figures.push(await beside(stack, `orders-${millions}`, way, node, home.env, `${millions}M, ${name}`))
        figures.push(await memory(stack, `orders-${millions}`, node, home.env, `${millions}M, ${name}`))
      }
    }
    return figures
  } finally {
    await Promise.all([stack.stop(), file.remove(), home.remove()])
  }
}

const skkArgs = ({plaintextBootstrap}: Stack, topic: string, flags: readonly string[]): string[] => [
  CLI,
  'consume',
  topic,
  '--bootstrap',
  plaintextBootstrap,
  '--auth',
  'none',
  '--quiet',
  ...flags,
]

async function beside(
  stack: Stack,
  topic: string,
  {what, skk, kcat, goal}: (typeof WAYS)[number],
  node: string,
  env: NodeJS.ProcessEnv,
  where: string,
): Promise<Figure> {
  const options = [...TUNED.flatMap((option) => ['-X', option]), ...kcat]
  const kcatArgs = ['-b', stack.plaintextBootstrap, '-C', '-t', topic, '-o', 'beginning', '-e', '-q', ...options]
  const environment = {...process.env, ...env}
  const runs = [() => timed(node, skkArgs(stack, topic, skk), environment), () => timed('kcat', kcatArgs)]
  const [measured = [], yardstick = []] = await alternate(ROUNDS, runs)
  return ratio(`skk consume / kcat -C, ${what}, ${where}`, goal, measured, yardstick)
}

async function memory(stack: Stack, topic: string, node: string, env: NodeJS.ProcessEnv, where: string): Promise<Figure> {
  const environment = {...process.env, ...env}
  const peaks: number[] = []
  for (const {skk} of WAYS) peaks.push(await peakMemory(node, skkArgs(stack, topic, skk), environment))
  return {
    what: `memory of skk consume at its peak, ${where}`,
    figure: `${Math.max(...peaks).toFixed(0)} MiB`,
    goal: '<= 200',
    details: `(${WAYS.map(({what}, index) => `${what} ${peaks[index]!.toFixed(0)}`).join(', ')})`,
  }
}

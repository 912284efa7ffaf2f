import {installKcat} from '../test/engines/install.js'
import {expectSuccess} from '../test/engines/processes.js'
import {emptyHome} from '../test/engines/skk.js'
import {startBrokers} from './brokers.js'
import {inputOf, order} from './lines.js'
import {divided, type Figure, NODE, peakMemory} from './rounds.js'
import {CLI} from './stack.js'

const MILLION = 1_000_000
const TIMES = [1, 10]

/** The peak of skk's memory for a million records and for ten of them: it is not to grow with their number. */
export async function* memory(): AsyncGenerator<Figure> {
  await installKcat()
  const [home, file] = [await emptyHome(), await inputOf({line: order, lines: divided(MILLION)})]
  const env = {...process.env, ...home.env}
  const skk = (bootstrap: string, ...args: string[]): Promise<number> =>
    peakMemory(NODE, [CLI, ...args, '--bootstrap', bootstrap, '--auth', 'none', '--quiet'], env)
  const local = await startBrokers({local: {partitions: 4}})
  const mock = await startBrokers({mock: {brokers: 3, roundTripMs: 0}})
  try {
    const input = ['--file', file.path, '--restart']
    const produced: number[] = []
    for (const times of TIMES)
      produced.push(await mock.fresh((topic) => skk(mock.bootstrap, 'produce', topic, ...input, '--repeat', String(times))))
    yield figure('produce', produced, 110)
    for (const flags of [[], ['--json']]) {
      const consumed: number[] = []
      for (const times of TIMES) {
        const peak = await local.fresh(async (topic) => {
          const produce = ['-b', local.bootstrap, '-P', '-t', topic, '-l', file.path]
          for (let i = 0; i < times; i++) await expectSuccess('kcat', produce, {timeoutMs: 600_000})
          return skk(local.bootstrap, 'consume', topic, ...flags)
        })
        consumed.push(peak)
      }
      yield figure(['consume', ...flags].join(' '), consumed, 200)
    }
  } finally {
    await Promise.all([local.stop(), mock.stop(), file.remove(), home.remove()])
  }
}

function figure(command: string, [one = 0, ten = 0]: readonly number[], goal: number): Figure {
  const lines = divided(MILLION)
  return {
    what: `memory of skk ${command} at its peak, ${10 * lines} lines / ${lines} lines`,
    figure: `${(ten / one).toFixed(2)} x`,
    goal: `<= ${goal} MiB`,
    details: `(${ten.toFixed(0)} MiB to ${one.toFixed(0)} MiB)`,
  }
}

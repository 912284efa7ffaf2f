import {emptyHome} from '../test/engines/skk.js'
import {startBrokers, type Target} from './brokers.js'
import {inputOf, order} from './lines.js'
import {alternate, divided, type Figure, NODE, ratio, rounds, timed} from './rounds.js'
import {CLI} from './stack.js'

const LINES = 5_000_000

const TARGETS: readonly (readonly [string, Target])[] = [
  ['mock cluster', {mock: {brokers: 3, roundTripMs: 0}}],
  ['Apache Kafka', {kafka: {partitions: 4}}],
]

/**
 * What the features of `skk produce` cost that can be off: a run with all of them, as it is by default, as a multiple of one
 * without. Standard input cannot be read again, so there is neither token nor journal; `--acks 1` is not idempotent, and waits for
 * fewer replicas too. The ledger is never off.
 */
export async function* features(): AsyncGenerator<Figure> {
  const lines = divided(LINES)
  const [home, file] = [await emptyHome(), await inputOf({line: order, lines})]
  try {
    for (const [where, target] of TARGETS) {
      const {bootstrap, fresh, stop} = await startBrokers(target)
      const run = (input: readonly string[], ...flags: string[]) => {
        const line = [NODE, CLI, 'produce', '--bootstrap', bootstrap, '--auth', 'none', '--quiet', ...input, ...flags]
        const env = {...process.env, ...home.env, FILE: file.path}
        return () => fresh((topic) => timed('/bin/sh', ['-c', 'exec "$0" "$@" <"$FILE"', ...line, '--topic', topic], env))
      }
      const [fromFile, fromInput] = [
        ['--file', file.path, '--restart'],
        ['--file', '-'],
      ]
      try {
        const runs = [run(fromFile), run(fromInput), run(fromFile, '--acks', '1'), run(fromInput, '--acks', '1')]
        const [all = [], noJournal = [], notIdempotent = [], neither = []] = await alternate(rounds(7), runs)
        const what = `skk produce of ${lines} lines, ${where}: as it is by default`
        yield ratio(`${what} / without token and journal`, null, all, noJournal)
        yield ratio(`${what} / without idempotence`, null, all, notIdempotent)
        yield ratio(`${what} / without any of them`, null, all, neither)
      } finally {
        await stop()
      }
    }
  } finally {
    await Promise.all([file.remove(), home.remove()])
  }
}

import {mkdtemp, rm} from 'node:fs/promises'
import {connect} from 'node:net'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {setTimeout as sleep} from 'node:timers/promises'

import {installNode} from '../test/engines/install.js'
import {emptyHome} from '../test/engines/skk.js'
import {alternate, type Figure, median, NODE, ratio, type Times, timed, timedByShell} from './rounds.js'
import {CLI, freePort} from './stack.js'

const ROUNDS = 15

/** Metadata v0 for all topics, with its size. */
const METADATA = Buffer.from('0000000e00030000000000010000' + '00000000', 'hex')

/** From `skk local start` until the stack answers Metadata. */
export async function localStart(): Promise<Figure[]> {
  const home = await emptyHome()
  const env = {...process.env, ...home.env}
  const times: number[] = []
  try {
    for (let round = 0; round < 5; round++) {
      const dataDir = await mkdtemp(join(tmpdir(), 'skk-bench-'))
      const [port, plaintext, http] = await Promise.all([freePort(), freePort(), freePort()])
      const ports = ['--port', port, '--plaintext-port', plaintext, '--http-port', http].map(String)
      const started = performance.now()
      const exited = timed(NODE, [CLI, 'local', 'start', '--data-dir', join(dataDir, 'stack'), ...ports], env)
      await answered(plaintext)
      times.push(performance.now() - started)
      await exited
      await timed(NODE, [CLI, 'local', 'stop', '--data-dir', join(dataDir, 'stack')], env)
      await rm(dataDir, {recursive: true, force: true})
    }
  } finally {
    await home.remove()
  }
  const details = `(${Math.min(...times).toFixed(0)}-${Math.max(...times).toFixed(0)} in ${times.length} rounds)`
  return [
    {what: 'skk local start to the first answered Metadata', figure: `${median(times).toFixed(0)} ms`, goal: '<= 500', details},
  ]
}

async function answered(port: number): Promise<void> {
  while (!(await answersNow(port))) await sleep(2)
}

const answersNow = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(METADATA))
    const settle = (isAnswer: boolean) => {
      socket.destroy()
      resolve(isAnswer)
    }
    socket.once('data', () => settle(true))
    socket.once('error', () => settle(false))
    socket.once('close', () => settle(false))
  })

/** The shortest command, and one that asks the brokers over IAM, on each Node. */
export async function startUp(): Promise<Figure[]> {
  const home = await emptyHome()
  const env = {...process.env, ...home.env}
  const local = ['--data-dir', join(home.env['HOME']!, 'stack')]
  await timed(NODE, [CLI, 'local', 'start', ...local, '--port', '0', '--plaintext-port', '0', '--http-port', '0'], env)
  try {
    await timed(NODE, [CLI, 'topics', 'create', 'orders'], env)
    const figures: Figure[] = []
    for (const [name, node] of [
      ['Node 20', NODE],
      ['Node 24', await installNode(24)],
    ] as const) {
      for (const [where, environment] of environments(env))
        figures.push(...(await startUpOf(node, environment, `${name}${where}`)))
    }
    return figures
  } finally {
    await timed(NODE, [CLI, 'local', 'stop', ...local], env)
    await home.remove()
  }
}

/** Reading more certificates doubles what bare Node 20 takes, and halves every ratio to it. */
function environments({NODE_EXTRA_CA_CERTS: certificates, ...others}: NodeJS.ProcessEnv): [where: string, NodeJS.ProcessEnv][] {
  if (!certificates) return [['', others]]
  return [
    [' with NODE_EXTRA_CA_CERTS', {...others, NODE_EXTRA_CA_CERTS: certificates}],
    [' without it', others],
  ]
}

async function startUpOf(node: string, env: NodeJS.ProcessEnv, where: string): Promise<Figure[]> {
  const run =
    (...args: string[]) =>
    () =>
      timedByShell(node, args, env)
  // The first run fills the compile cache, as it does for a user.
  for (const args of [['--version'], ['topics', 'list']]) await run(CLI, ...args)()
  const runs = [run('-e', '0'), run(CLI, '--version'), run(CLI, 'topics', 'list')]
  const [bare = [], version = [], topics = []] = await alternate(ROUNDS, runs)
  return [
    ...ratios(`skk --version / node -e 0, ${where}`, 2.5, version, bare),
    ...ratios(`skk topics list / node -e 0, ${where}`, 4.5, topics, bare),
  ]
}

function ratios(what: string, goal: number, measured: readonly Times[], yardstick: readonly Times[]): Figure[] {
  const by = (name: string, pick: (times: Times) => number) =>
    ratio(`${what}, ${name}`, goal, measured.map(pick), yardstick.map(pick))
  return [by('wall', ({wall}) => wall), by('processor', ({cpu}) => cpu)]
}

import {writeFile} from 'node:fs/promises'
import {join} from 'node:path'

import {installKcat} from '../engines/install.js'
import {cleanHome, type Ended, type Home, type Running, type RunOptions, skk, startSkk} from '../support/skk.js'
import {type Counted, judge, readWithKcat, type Verdict} from './count.js'
import {type FaultyStack, faultyStack} from './faulty-stack.js'

/** The built CLI as a process, its three brokers behind proxies, and kcat to count what came of it. */
export type CommandLine = {
  home: Home
  stack: FaultyStack
  run(line: string, options?: Partial<RunOptions>): Promise<Ended>
  start(line: string, options?: Partial<RunOptions>): Running
  /** Makes a topic with small batches, so that a fault has many to happen to. */
  topic(flags?: string): Promise<string>
  /** Lines `0`, `1`, … to just before `to`, in a file. */
  numbers(to: number): Promise<string>
  file(content: string | Buffer): Promise<string>
  stored(topic: string): Promise<Counted[]>
  verdict(topic: string, sent: number, options?: {resumed?: boolean}): Promise<Verdict>
  stop(): Promise<void>
}

export async function commandLine(): Promise<CommandLine> {
  await installKcat()
  const home = await cleanHome()
  const stack = await faultyStack()
  await home.context('faulty', {bootstrap: stack.local.plaintextBootstrap!, auth: 'none'})
  let [topics, files] = [0, 0]
  const file = async (content: string | Buffer): Promise<string> => {
    const path = join(home.directory, 'work', `input-${++files}`)
    await writeFile(path, content)
    return path
  }
  const stored = (topic: string) => readWithKcat(stack.local.plaintextBootstrap!, topic)
  const run = (line: string, options: Partial<RunOptions> = {}) => skk(line.split(' '), {home, ...options})
  return {
    home,
    stack,
    run,
    start: (line, options = {}) => startSkk(line.split(' '), {home, ...options}),
    async topic(flags = '--partitions 3 --config max.message.bytes=4000') {
      const name = `row-${++topics}`
      const {code, stderr} = await run(`topics create ${name} ${flags}`)
      if (code !== 0) throw new Error(stderr)
      return name
    },
    numbers: (to) => file(numbered(0, to)),
    file,
    stored,
    verdict: async (topic, sent, options) => judge(await stored(topic), sent, options),
    async stop() {
      await stack.stop()
      await home.remove()
    },
  }
}

export const numbered = (from: number, to: number): string => Array.from({length: to - from}, (_, i) => `${from + i}\n`).join('')

/** The counts of the closing line. */
export function countsOf({stderr}: Pick<Ended, 'stderr'>): {
  read: number
  acked: number
  rejected: number
  unknown: number
  unsent: number
} {
  const line = /^(\d+) read = (\d+) acked \+ (\d+) rejected \+ (\d+) unknown \+ (\d+) unsent$/m.exec(stderr)
  if (!line) throw new Error(`no closing line in:\n${stderr}`)
  const [read, acked, rejected, unknown, unsent] = line.slice(1).map(Number) as [number, number, number, number, number]
  return {read, acked, rejected, unknown, unsent}
}

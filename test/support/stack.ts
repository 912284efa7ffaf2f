import {mkdtemp, rm} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {onTestFinished} from 'vitest'

import {type Local, type LocalOptions, startLocal} from '../../src/lib/local/index.js'

/** A stack on free ports and a temporary directory, gone when the test ends. `lines` is what it logged. */
export async function stack(options: Partial<LocalOptions> = {}): Promise<Local & {lines: string[]}> {
  const lines: string[] = []
  const dataDir = options.dataDir ?? (await temporaryDataDir())
  const local = await startLocal({
    plaintextPort: {wanted: 0, mayMove: true},
    createDelayMs: 10,
    log: (line) => lines.push(line),
    ...options,
    dataDir,
  })
  onTestFinished(() => local.stop())
  return Object.assign(local, {lines})
}

export async function temporaryDataDir(): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'skk-stack-'))
  onTestFinished(() => rm(dir, {recursive: true, force: true}))
  return join(dir, 'local')
}

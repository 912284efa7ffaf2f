import {execFile} from 'node:child_process'
import {mkdir, readdir} from 'node:fs/promises'
import {join, resolve} from 'node:path'
import {afterEach, beforeEach, describe, expect, it} from 'vitest'

import {cleanHome, type Home, startSkk} from '../support/skk.js'

/** What the demo leaves behind would lie here. */
let temporary: string
let home: Home
beforeEach(async () => {
  home = await cleanHome()
  temporary = join(home.directory, 'tmp')
  await mkdir(temporary)
})
afterEach(() => home.remove())

describe('skk demo', () => {
  it('fails as its first wrong step fails, and leaves nothing behind', async () => {
    const line = `'${process.execPath}' '${resolve('bin/run.js')}' demo >/dev/full`

    const {code, stderr} = await new Promise<{code: unknown; stderr: string}>((done) => {
      const options = {env: {...home.env, TMPDIR: temporary}, cwd: join(home.directory, 'work')}
      execFile('sh', ['-c', line], options, (error, _, stderr) => done({code: error?.code, stderr}))
    })

    expect(stderr).toContain('cannot write to standard output')
    expect(stderr).toMatch(/^error: `skk local start .*` ended with exit code 9$/m)
    expect(code).toBe(9)
    expect(await readdir(temporary)).toEqual([])
  })

  it('on Ctrl-C stops its stack, removes its directory, and is exit 130', async () => {
    const {child, says, ended} = startSkk(['demo'], {home, env: {TMPDIR: temporary}})
    await says(/created topic "orders"/)

    child.kill('SIGINT')

    expect((await ended).code).toBe(130)
    expect(await readdir(temporary)).toEqual([])
  })
})

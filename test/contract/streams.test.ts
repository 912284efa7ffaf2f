import {spawn} from 'node:child_process'
import {once} from 'node:events'
import {existsSync, readFileSync} from 'node:fs'
import {join} from 'node:path'
import {fileURLToPath} from 'node:url'

import {afterEach, beforeEach, describe, expect, it} from 'vitest'

import {cleanHome, type Ended, type Home, skk, startSkk} from '../support/skk.js'

const fixture = fileURLToPath(new URL('fixture/run.js', import.meta.url))
const run = fileURLToPath(new URL('../../bin/run.js', import.meta.url))

let home: Home
beforeEach(async () => {
  home = await cleanHome()
})
afterEach(() => home.remove())

/** A shell line with `$skk` for the CLI and `$fixture` for the fixture's commands. */
async function shell(line: string): Promise<Ended> {
  const env = {...home.env, skk: `${process.execPath} ${run}`, fixture: `${process.execPath} ${fixture}`}
  const child = spawn('bash', ['-o', 'pipefail', '-c', line], {env, cwd: join(home.directory, 'work')})
  let [stdout, stderr] = ['', '']
  child.stdout.on('data', (text) => {
    stdout += text
  })
  child.stderr.on('data', (text) => {
    stderr += text
  })
  const [code, signal] = await once(child, 'close')
  return {stdout, stderr, code, signal}
}

const cleanedUp = () => readFileSync(join(home.directory, 'work', 'cleaned-up'), 'utf8')

describe('a reader that closes the pipe', () => {
  it('ends the process with 0, after its clean-up', async () => {
    const {stdout, stderr, code} = await shell('$fixture drip | head -1')

    expect({stdout, stderr, code}).toEqual({stdout: 'line 0\n', stderr: '', code: 0})
    expect(cleanedUp()).toBe('EPIPE')
  })

  it('ends help and JSON with 0 too', async () => {
    for (const line of ['$skk --help | true', '$skk contexts list --json | true', '$skk --version | true']) {
      expect(await shell(line), line).toMatchObject({code: 0, stderr: expect.not.stringContaining('Error')})
    }
  })
})

describe('a full disk behind standard output', () => {
  it.each(['contexts list --json', 'contexts list --query length(@)', '--help', 'contexts list --help', 'contexts'])(
    'makes `skk %s` exit 9 with a clear error',
    async (args) => {
      const {code, stderr} = await shell(`$skk ${args.replace(/\(.*/, "'$&'")} > /dev/full`)

      expect(stderr).toContain('error: cannot write to standard output: ENOSPC')
      expect(stderr).not.toContain(' at ')
      expect(code).toBe(9)
    },
  )

  it('makes tables and lines exit 9', async () => {
    await home.context('one', {cluster: 'orders'})

    expect(await shell('$skk contexts list > /dev/full')).toMatchObject({code: 9})
    expect(await shell('$skk contexts list --plain > /dev/full')).toMatchObject({code: 9})
    expect(await shell('$fixture drip > /dev/full')).toMatchObject({code: 9})
    expect(cleanedUp()).toBe('OUTPUT')
    expect(await shell('$skk --version > /dev/full')).toMatchObject({code: 9})
  })
})

describe('a signal', () => {
  it.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)('%s runs the clean-up and exits %i', async (signal, code) => {
    const {child, says, ended} = startSkk(['drip'], {home, program: fixture})
    await says(/line 3/)

    child.kill(signal)

    expect(await ended).toMatchObject({code, signal: null})
    expect(cleanedUp()).toBe(signal)
  })

  it('does not wait longer than 5 s for a clean-up', async () => {
    const {child, says, ended} = startSkk(['hang'], {home, program: fixture})
    await says(/hanging/)
    const started = Date.now()

    child.kill('SIGINT')

    expect(await ended).toMatchObject({code: 130})
    expect(Date.now() - started).toBeGreaterThan(4_000)
  })

  it('that comes twice ends the process at once', async () => {
    const {child, says, ended} = startSkk(['hang'], {home, program: fixture})
    await says(/hanging/)

    child.kill('SIGINT')
    await says(/Ctrl-C again/)
    const second = Date.now()
    child.kill('SIGINT')

    expect(await ended).toMatchObject({code: 130})
    // The clean-up that hangs would have had 5 s.
    expect(Date.now() - second).toBeLessThan(4_000)
  })

  it('stops the local stack in the foreground and leaves no state behind', async () => {
    const args = ['local', 'start', '--foreground', '--port', '0', '--plaintext-port', '0', '--http-port', '0']
    const {child, says, ended} = startSkk(args, {home})
    await says(/MSK API/)

    child.kill('SIGINT')

    expect(await ended).toMatchObject({code: 130})
    expect(existsSync(join(home.dataDir, 'local', 'stack.json'))).toBe(false)
  })
})

describe('standard input', () => {
  it('is not read for a missing argument', async () => {
    const {stdout} = await skk(['read', '--json'], {home, program: fixture, input: 'orders\nmore\n'})

    expect(JSON.parse(stdout)).toEqual({topic: null, bytes: 12})
  })
})

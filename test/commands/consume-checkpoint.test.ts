import {execFile} from 'node:child_process'
import {readFile, stat} from 'node:fs/promises'
import {join} from 'node:path'

import {afterAll, beforeAll, describe, expect, it} from 'vitest'

import {cleanHome, type Home, type Running, skk, startSkk} from '../support/skk.js'

const RUN = join(import.meta.dirname, '../../bin/run.js')

const PARTITIONS = 3
const RECORDS = 200_000
/** About as much as they take as lines. */
const BYTES = RECORDS * 60
/** In one round; SKK_KILLS sets how many altogether. */
const KILLS = 5
const ROUNDS = Math.ceil(Number(process.env['SKK_KILLS'] ?? KILLS) / KILLS)

let home: Home
beforeAll(async () => {
  home = await cleanHome()
  await home.local()
  await skk(['topics', 'create', 'orders', '--partitions', String(PARTITIONS)], {home})
  const input = Array.from({length: RECORDS}, (_, i) => `record ${i} ${'x'.repeat(i % 90)}\n`).join('')
  await skk(['produce', 'orders'], {home, input})
}, 60_000)
afterAll(() => home.remove())

const path = (name: string): string => join(home.directory, 'work', name)
const flags = (name: string, ...more: string[]) => [
  'consume',
  'orders',
  '--output-file',
  path(`${name}.jsonl`),
  '--checkpoint',
  path(`${name}.checkpoint`),
  ...more,
]

const seed = Number(process.env['SKK_SEED'] ?? Date.now() % 1_000_000)

/** Between 0 and 1 (mulberry32). */
function random(): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** Resolves once the output file has so many bytes, or the process has ended. */
async function grown(file: string, bytes: number, {ended}: Running): Promise<void> {
  let over = false
  void ended.then(() => {
    over = true
  })
  while (!over) {
    const size = await stat(file).then(
      (stats) => stats.size,
      () => 0,
    )
    if (size >= bytes) return
    await new Promise((resolve) => setImmediate(resolve))
  }
}

/** How often each record is in the file; every line is a whole one. */
async function recordsIn(name: string): Promise<Map<number, number>> {
  const lines = (await readFile(path(`${name}.jsonl`), 'utf8')).split('\n')
  expect(lines.pop()).toBe('')
  const counts = new Map<number, number>()
  for (const line of lines) {
    const [, number, filling] = /^"?record (\d+) (x*)"?$/.exec(line) ?? []
    expect(filling).toHaveLength(Number(number) % 90)
    counts.set(Number(number), (counts.get(Number(number)) ?? 0) + 1)
  }
  return counts
}

describe('consume --checkpoint', () => {
  it(
    `loses and repeats nothing, however often it is killed (SKK_SEED=${seed})`,
    async () => {
      const next = random()
      let killed = 0
      for (let round = 0; round < ROUNDS; round++) {
        const name = `killed-${round}`
        // A query makes reading slow enough for checkpoints on the way.
        const line = flags(name, '--query', 'value')
        const sizes = Array.from({length: KILLS}, () => Math.floor(BYTES * next())).sort((a, b) => a - b)
        for (const size of sizes) {
          const running = startSkk(line, {home})
          await grown(path(`${name}.jsonl`), size, running)
          running.child.kill('SIGKILL')
          if ((await running.ended).signal === 'SIGKILL') killed++
        }
        const {code} = await skk(line, {home})

        const counts = await recordsIn(name)
        expect(code).toBe(0)
        expect(counts.size).toBe(RECORDS)
        expect([...counts.values()].filter((count) => count !== 1)).toEqual([])
      }
      expect(killed).toBeGreaterThan(0)
    },
    ROUNDS * 240_000,
  )

  it('goes on after a signal, and after its limit', async () => {
    const running = startSkk(flags('stopped', '--follow', '--from', 'beginning'), {home})
    await grown(path('stopped.jsonl'), 1, running)
    running.child.kill('SIGINT')
    expect((await running.ended).code).toBe(130)

    await skk(flags('stopped', '--limit', '777'), {home})
    await skk(flags('stopped'), {home})

    const counts = await recordsIn('stopped')
    expect(counts.size).toBe(RECORDS)
    expect([...counts.values()].filter((count) => count !== 1)).toEqual([])
  }, 60_000)

  it('on a full disk is exit 9 with whole lines, and goes on when there is room', async () => {
    // A limit on the size of files stands for the disk.
    const line = ['-c', 'ulimit -f 2000 && exec "$@"', 'limited', process.execPath, RUN, ...flags('full')]
    const {code, stderr} = await new Promise<{code: unknown; stderr: string}>((resolve) => {
      execFile('bash', line, {env: home.env, cwd: path('')}, (error, _, stderr) => resolve({code: error?.code, stderr}))
    })
    expect(code).toBe(9)
    expect(stderr).toContain(`error: cannot write "${path('full.jsonl')}": `)
    expect((await recordsIn('full')).size).toBeGreaterThan(0)

    await skk(flags('full'), {home})

    const counts = await recordsIn('full')
    expect(counts.size).toBe(RECORDS)
    expect([...counts.values()].filter((count) => count !== 1)).toEqual([])
  }, 60_000)

  it('needs an output file, and the same flags', async () => {
    expect(await skk(['consume', 'orders', '--checkpoint', 'c'], {home})).toMatchObject({code: 2})
    await skk(flags('flags', '--limit', '1'), {home})
    expect(await skk(flags('flags', '--json'), {home})).toMatchObject({
      code: 6,
      stderr: expect.stringContaining('CHECKPOINT_MISMATCH'),
    })
  })
})

import {afterAll, beforeAll, describe, expect, test} from 'vitest'

import {
  connectAll,
  createTopics,
  drip,
  fetchAtOnce,
  neverRead,
  produceMegabyte,
  sendBombs,
  serviceTime,
  topic,
} from '../support/fuzz-attacks.js'
import {fuzzHttp} from '../support/fuzz-http.js'
import {fuzz, fuzzSeed} from '../support/fuzz-run.js'
import {type FuzzedStack, startFuzzedStack} from '../support/fuzz-stack.js'
import {installKcat} from './install.js'
import {expectSuccess} from './processes.js'

const seed = fuzzSeed()
process.stderr.write(`SKK_SEED=${seed}\n`)

const MINUTES = 60_000

beforeAll(installKcat)

/** What kcat reads of a thousand lines that it produced just now. */
async function linesThroughKcat({plaintext}: FuzzedStack, name: string): Promise<string[]> {
  const input = Array.from({length: 1_000}, (_, index) => `line ${index}\n`).join('')
  await expectSuccess('kcat', ['-b', plaintext, '-P', '-t', name], {input})
  const {stdout} = await expectSuccess('kcat', ['-b', plaintext, '-C', '-t', name, '-o', 'beginning', '-e', '-q'])
  return stdout.trimEnd().split('\n')
}

// The wide profile may keep 10,000 partitions, at 3 KB each, and as many groups.
describe.each([
  ['msk-serverless', 200_000, 50],
  ['wide', process.env['SKK_FULL'] ? 200_000 : 20_000, 120],
] as const)('the profile %s', (profile, frames, allowedMiB) => {
  let stack: FuzzedStack
  beforeAll(async () => {
    stack = await startFuzzedStack(['--api-profile', profile])
  })
  afterAll(() => stack?.stop())

  test(
    `is what it was after ${frames} mutated frames`,
    async () => {
      const {judged, closed, growthMiB} = await fuzz(stack, {frames, seed, profile})
      process.stderr.write(
        `${profile}: ${judged} frames, ${closed} connections closed by them, ${growthMiB.toFixed(1)} MiB more\n`,
      )

      expect(judged).toBeGreaterThanOrEqual(frames)
      expect(stack.errors, `SKK_SEED=${seed}`).toEqual([])
      expect(growthMiB).toBeLessThan(allowedMiB)
    },
    15 * MINUTES,
  )

  test(
    'is what it was after 3,000 HTTP requests',
    async () => {
      await fuzzHttp(stack, {runs: 3_000, seed})

      expect(stack.errors).toEqual([])
    },
    5 * MINUTES,
  )

  test('serves kcat as if nothing had been', async () => {
    await createTopics(stack, topic('after-the-fuzz', 2))

    expect(await linesThroughKcat(stack, 'after-the-fuzz')).toHaveLength(1_000)
  })
})

describe('a stack under siege', () => {
  let stack: FuzzedStack
  beforeAll(async () => {
    stack = await startFuzzedStack()
  })
  afterAll(() => stack?.stop())

  test('gives 100 clients 56 MB each, one after the other', async () => {
    await fetchAtOnce(stack, 100)

    expect(stack.peakMiB()).toBeLessThan(800)
  })

  test('looks into no more bombs at a time than it has memory for', async () => {
    await sendBombs(stack, {recordCount: 10_000_000, rounds: 20})

    expect(stack.errors).toEqual([])
    expect(stack.peakMiB()).toBeLessThan(800)
  })

  test('serves kcat beside 50 clients that never read, 200 that drip and 2,600 that do nothing, and closes the first', async () => {
    const unread = await neverRead(stack, 50)
    const others = [...(await drip(stack, 200)), ...(await connectAll(stack.plaintext, 2_600))]
    await createTopics(stack, topic('under-siege'))

    expect(await linesThroughKcat(stack, 'under-siege')).toHaveLength(1_000)
    expect(await produceMegabyte(stack)).toBe(0)
    expect(await serviceTime(stack)).toBeLessThan(5_000)

    // Who never reads learns only by writing that the other side has gone.
    const writing = setInterval(() => {
      for (const socket of unread) if (socket.writable) socket.write(Buffer.alloc(1))
    }, 500)
    await expect.poll(() => unread.filter((socket) => !socket.destroyed).length, {timeout: 45_000}).toBe(0)
    clearInterval(writing)
    for (const socket of others) socket.destroy()
    expect(stack.peakMiB()).toBeLessThan(800)
  })
})

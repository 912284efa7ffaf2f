import {spawn} from 'node:child_process'
import {once} from 'node:events'

import {expect, it} from 'vitest'

import {processIdentity} from '../../src/lib/process-identity.js'

it('is the same as long as the process runs, and another for another', async () => {
  const other = spawn('sleep', ['60'])
  const [mine, again, theirs] = [
    await processIdentity(process.pid),
    await processIdentity(process.pid),
    await processIdentity(other.pid!),
  ]
  other.kill()
  await once(other, 'exit')

  expect(mine).toBe(again)
  expect(mine).toMatch(/\d/)
  expect(theirs).toMatch(/\d/)
  expect(await processIdentity(other.pid!)).toBeUndefined()
})

it('is undefined for one that has ended, although nobody has asked for its exit code', async () => {
  // A parent that sleeps does not hear of its child's end, which comes when it is no shell any more.
  const parent = spawn('sh', ['-c', 'sleep 1 & echo $!; exec sleep 60'])
  const [text] = (await once(parent.stdout, 'data')) as [Buffer]
  try {
    await expect.poll(() => processIdentity(Number(text)), {timeout: 30_000}).toBeUndefined()
    expect(() => process.kill(Number(text), 0)).not.toThrow()
  } finally {
    parent.kill()
  }
})

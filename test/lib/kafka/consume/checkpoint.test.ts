import {mkdtemp, readdir, readFile, rm, truncate, writeFile} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {join} from 'node:path'

import {describe, expect, it, onTestFinished} from 'vitest'

import {type Checkpoint, openCheckpoint} from '../../../../src/lib/kafka/consume/checkpoint.js'

const IDENTITY = {cluster: 'c', topic: 'orders', shape: '{}'}

async function place() {
  const directory = await mkdtemp(join(tmpdir(), 'skk-checkpoint-'))
  onTestFinished(() => rm(directory, {recursive: true, force: true}))
  const [path, output] = [join(directory, 'checkpoint'), join(directory, 'out')]
  return {
    directory,
    path,
    output,
    open: (identity: Partial<typeof IDENTITY> = {}): Promise<Checkpoint> =>
      openCheckpoint(path, output, {...IDENTITY, ...identity}),
    /** A run that writes these and ends well. */
    async run(text: string, offset: number): Promise<void> {
      const checkpoint = await openCheckpoint(path, output, IDENTITY)
      await checkpoint.output.write(Buffer.from(text))
      await checkpoint.save(new Map([[0, offset]]))
      await checkpoint.close()
    },
  }
}

describe('a checkpoint', () => {
  it('begins with an empty file, and goes on behind what it knows', async () => {
    const {path, output, open, run, directory} = await place()
    await writeFile(output, 'of something else\n')

    await run('a\n', 1)
    const again = await open()
    expect([...again.offsets]).toEqual([[0, 1]])
    expect(again.output.isEmpty).toBe(false)
    await again.output.write(Buffer.from('b\n'))
    await again.save(new Map([[1, 7]]))
    await again.close()

    expect(await readFile(output, 'utf8')).toBe('a\nb\n')
    expect(JSON.parse(await readFile(path, 'utf8'))).toEqual({
      version: 1,
      ...IDENTITY,
      outputBytes: 4,
      offsets: {0: 1, 1: 7},
    })
    expect(await readdir(directory)).toEqual(['checkpoint', 'out'])
  })

  it('cuts off what was written after it', async () => {
    const {output, open, run} = await place()
    await run('a\n', 1)
    await writeFile(output, 'a\nb\nhalf of c')

    const checkpoint = await open()
    await checkpoint.output.write(Buffer.from('B\n'))
    await checkpoint.close()

    expect(await readFile(output, 'utf8')).toBe('a\nB\n')
  })

  it('counts nothing of a write that fails in part', async () => {
    const {output, open} = await place()
    const checkpoint = await open()
    await checkpoint.output.write(Buffer.from('a\n'))

    const failed = checkpoint.output.write(Buffer.from('b\n'), 'no buffer' as never, null as never)
    await expect(failed).rejects.toMatchObject({code: 'OUTPUT_FAILED', exitCode: 9})
    await checkpoint.save(new Map([[0, 1]]))
    await checkpoint.close()

    expect(await readFile(output, 'utf8')).toBe('a\n')
    const again = await open()
    await again.close()
    expect(again.output.isEmpty).toBe(false)
  })

  it('is not fooled by the half of a newer one', async () => {
    const {path, open, run} = await place()
    await run('a\n', 1)
    await writeFile(`${path}.tmp`, '{"version": 1, "outp')

    const checkpoint = await open()
    await checkpoint.close()

    expect([...checkpoint.offsets]).toEqual([[0, 1]])
  })

  it.each([
    [{topic: 'other'}, 'is about topic "orders"'],
    [{cluster: 'other'}, 'was made by reading another cluster'],
    [{shape: '{"csv":true}'}, 'was made with other flags for what is written: {}'],
  ])('is refused for %o, exit 6', async (identity, why) => {
    const {open, run, output} = await place()
    await run('a\n', 1)

    await expect(open(identity)).rejects.toMatchObject({exitCode: 6, message: expect.stringContaining(why)})
    expect(await readFile(output, 'utf8')).toBe('a\n')
  })

  it('belongs to one run at a time: exit 6 names the other', async () => {
    const {open} = await place()
    const first = await open()

    await expect(open()).rejects.toMatchObject({
      code: 'CHECKPOINT_IN_USE',
      exitCode: 6,
      message: expect.stringContaining(`pid ${process.pid}`),
    })
    await first.close()
    await (await open()).close()
  })

  it('is taken over from a process that is gone', async () => {
    const {path, open, run} = await place()
    await run('a\n', 1)
    await writeFile(`${path}.lock`, JSON.stringify({pid: process.pid, identity: 'that of an earlier process'}))

    const checkpoint = await open()
    await checkpoint.close()

    expect([...checkpoint.offsets]).toEqual([[0, 1]])
  })

  it('is exit 9 when the output file is shorter than it says, or gone', async () => {
    const {output, open, run} = await place()
    await run('abc\n', 1)

    await truncate(output, 2)
    await expect(open()).rejects.toMatchObject({
      code: 'OUTPUT_CHANGED',
      exitCode: 9,
      message: expect.stringContaining('has 2 bytes, fewer than the 4 of its checkpoint'),
    })
    await rm(output)
    await expect(open()).rejects.toMatchObject({code: 'OUTPUT_FAILED', exitCode: 9})
  })

  it.each([
    '',
    '{',
    '[]',
    'null',
    '{"version":2}',
    '{"version":1,"outputBytes":-1,"offsets":{}}',
    '{"version":1,"outputBytes":1,"offsets":{"0":"x"}}',
  ])('is exit 9 when it holds %j', async (text) => {
    const {path, open} = await place()
    await writeFile(path, text)

    await expect(open()).rejects.toMatchObject({code: 'CHECKPOINT_UNREADABLE', exitCode: 9})
  })

  it('is for files only', async () => {
    const {path} = await place()

    await expect(openCheckpoint(path, '/dev/null', IDENTITY)).rejects.toMatchObject({code: 'OUTPUT_CHANGED'})
  })
})

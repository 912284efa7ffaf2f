import {mkdtemp, readFile, rm, stat} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {join} from 'node:path'

import {expect, it, onTestFinished} from 'vitest'

import {zip} from '../../../src/lib/functions/zip.js'
import {unzip} from '../../../src/lib/local/lambda/zip.js'

it('holds the files as they are', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'skk-zip-'))
  onTestFinished(() => rm(dir, {recursive: true}))
  const random = Buffer.from(Array.from({length: 100_000}, (_, index) => (index * 7919) % 251))

  await unzip(
    await zip([
      {name: 'src/größe.bin', content: random},
      {name: 'empty', content: Buffer.alloc(0)},
    ]),
    dir,
  )

  expect(await readFile(join(dir, 'src/größe.bin'))).toEqual(random)
  expect((await stat(join(dir, 'empty'))).size).toBe(0)
})

it('has the same bytes for the same files, in whatever order and whenever', async () => {
  const [a, b] = ['a.mjs', 'b.mjs'].map((name) => ({name, content: Buffer.from(name)})) as [any, any]

  const first = await zip([a, b])

  expect(await zip([b, a])).toEqual(first)
  expect(first.readUInt16LE(10), 'time').toBe(0)
  expect(first.readUInt16LE(12), 'date').toBe(0x21)
})

it('refuses one name twice', async () => {
  const file = {name: 'a', content: Buffer.alloc(0)}

  await expect(zip([file, file])).rejects.toThrow('"a" comes twice')
})

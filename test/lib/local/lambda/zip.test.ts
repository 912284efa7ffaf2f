import {lstat, mkdtemp, readdir, readFile, rm} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import fc from 'fast-check'
import {afterEach, beforeEach, describe, expect, it} from 'vitest'

import {unzip, ZipError} from '../../../../src/lib/local/lambda/zip.js'
import {type ZipEntry, zipArchive} from '../../../support/zip-archive.js'

let dir: string

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'skk-zip-'))
})
afterEach(() => rm(dir, {recursive: true, force: true}))

describe('an archive', () => {
  it('is unpacked, its directories made, whether its entries are packed or stored', async () => {
    const archive = zipArchive([
      {name: 'index.mjs', content: 'export const a = 1'},
      {name: 'lib/', mode: 0o040755},
      {name: 'lib/deep/b.txt', content: 'b'.repeat(10_000), stored: true},
      {name: 'run.sh', mode: 0o100755},
    ])

    await unzip(archive, dir)

    expect(await readFile(join(dir, 'index.mjs'), 'utf8')).toBe('export const a = 1')
    expect((await readFile(join(dir, 'lib/deep/b.txt'))).length).toBe(10_000)
    expect((await lstat(join(dir, 'run.sh'))).mode & 0o777).toBe(0o700)
    expect((await lstat(join(dir, 'index.mjs'))).mode & 0o777).toBe(0o600)
  })

  const hostile: [string, ZipEntry[]][] = [
    ['leaves the directory', [{name: '../evil'}]],
    ['leaves it from below', [{name: 'a/../../evil'}]],
    ['has an absolute name', [{name: '/etc/evil'}]],
    ['has a drive', [{name: 'C:/evil'}]],
    ['has a backslash', [{name: '..\\evil'}]],
    ['has a NUL', [{name: 'a\0b'}]],
    ['has an empty name', [{name: ''}]],
    ['has a dot', [{name: './a'}]],
    ['has a symbolic link', [{name: 'link', content: '/etc', mode: 0o120777}]],
    ['has a device', [{name: 'null', mode: 0o020666}]],
    ['has a FIFO', [{name: 'pipe', mode: 0o010644}]],
    ['has a name twice', [{name: 'a'}, {name: 'a'}]],
    ['has a file that is a directory', [{name: 'a'}, {name: 'a/b'}]],
    ['has a name too long', [{name: 'x'.repeat(5000)}]],
    ['is encrypted', [{name: 'a', claims: {flags: 1}}]],
    ['is packed by an unknown method', [{name: 'a', claims: {method: 12}}]],
    ['has a wrong checksum', [{name: 'a', content: 'a', claims: {crc: 1}}]],
    ['inflates to more than it says', [{name: 'a', content: 'a'.repeat(1000), claims: {size: 10}}]],
    ['inflates to less than it says', [{name: 'a', content: 'a', claims: {size: 1000}}]],
    ['says that it is huge', [{name: 'a', content: 'a', claims: {size: 262_144_001}}]],
    ['has too many entries', Array.from({length: 10_001}, (_, index) => ({name: String(index)}))],
  ]
  it.each(hostile)('that %s is refused', async (_, entries) => {
    await expect(unzip(zipArchive(entries), dir)).rejects.toBeInstanceOf(ZipError)

    expect((await readdir(join(dir, '..'))).includes('evil')).toBe(false)
  })

  it('is refused when its files together are too large, before the last is inflated', async () => {
    const half = {content: Buffer.alloc(140_000_000), stored: false}

    const unpacking = unzip(
      zipArchive([
        {name: 'a', ...half},
        {name: 'b', ...half},
      ]),
      dir,
    )

    await expect(unpacking).rejects.toMatchObject({name: 'ZipError', tooLarge: true})
    expect(await readdir(dir)).toEqual(['a'])
  })

  it('that is damaged anywhere is unpacked or refused, and never anything else', async () => {
    const archive = zipArchive([
      {name: 'index.mjs', content: 'export {}'},
      {name: 'b/c', content: 'c'.repeat(300)},
    ])
    const damage = fc.array(fc.tuple(fc.nat(archive.length - 1), fc.nat(255)), {minLength: 1, maxLength: 4})

    await fc.assert(
      fc.asyncProperty(damage, fc.nat(archive.length), async (changes, cut) => {
        const damaged = Buffer.from(archive)
        for (const [at, value] of changes) damaged[at] = value
        const target = await mkdtemp(join(dir, 'x-'))

        await unzip(cut % 3 === 0 ? damaged.subarray(0, cut) : damaged, target).catch((error) => {
          if (!(error instanceof ZipError)) throw error
        })
      }),
      {numRuns: 300, verbose: true},
    )
  })
})

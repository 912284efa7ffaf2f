import fc from 'fast-check'
import {describe, expect, test} from 'vitest'
import {readBatchHeader} from '../../../src/lib/records/batch.js'
import {type Compression, compress, decompress} from '../../../src/lib/records/compression.js'
import {RecordError} from '../../../src/lib/records/record-error.js'
import {fixture, lz4Noise, lz4Text} from './vectors.js'

const CODECS = ['gzip', 'snappy', 'lz4', 'zstd'] as const

/** Bytes as they come: noise, long runs, and repeats near and far, up to some hundred KiB. */
const plain = fc
  .array(
    fc.oneof(
      fc.uint8Array({maxLength: 400}).map((bytes) => Buffer.from(bytes)),
      fc.tuple(fc.nat(255), fc.nat(70_000)).map(([byte, length]) => Buffer.alloc(length, byte)),
      fc
        .tuple(fc.uint8Array({minLength: 1, maxLength: 40}), fc.nat(1000))
        .map(([bytes, times]) => Buffer.concat(Array(times).fill(Buffer.from(bytes)))),
    ),
    {maxLength: 8},
  )
  .map((parts) => Buffer.concat(parts))

describe.each(CODECS)('%s', (codec) => {
  test('gives back what was compressed', async () => {
    await fc.assert(
      fc.asyncProperty(plain, async (bytes) => {
        const compressed = await compress(codec, bytes)
        expect((await decompress(codec, compressed)).equals(bytes)).toBe(true)
      }),
      {numRuns: 60},
    )
  })

  test('gives back each of what was compressed at the same time', async () => {
    const several = [lz4Text, lz4Noise, Buffer.from('short'), lz4Text.subarray(7)]

    const compressed = await Promise.all(several.map((bytes) => compress(codec, bytes)))

    for (const [i, bytes] of several.entries()) expect((await decompress(codec, compressed[i]!)).equals(bytes)).toBe(true)
  })

  test('makes text several times smaller, and noise hardly larger', async () => {
    expect((await compress(codec, lz4Text)).length).toBeLessThan(lz4Text.length / 4)
    expect((await compress(codec, lz4Noise)).length).toBeLessThan(lz4Noise.length + 60)
  })

  test('stops at the limit, to the byte', async () => {
    const compressed = await compress(codec, lz4Text)

    expect(await decompress(codec, compressed, lz4Text.length)).toHaveLength(lz4Text.length)
    await expect(decompress(codec, compressed, lz4Text.length - 1)).rejects.toThrow(RecordError)
    await expect(decompress(codec, compressed, 0)).rejects.toThrow(RecordError)
  })

  test('throws RecordError, and nothing else, on any damage', async () => {
    const intact = section(`java-${codec}`)
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.nat(intact.length - 1), fc.nat(255)), {minLength: 1, maxLength: 5}),
        fc.nat(intact.length),
        async (changes, cut) => {
          const damaged = Buffer.from(intact)
          for (const [at, byte] of changes) damaged[at] = byte
          await outcome(codec, damaged)
          await outcome(codec, damaged.subarray(0, cut))
        },
      ),
      {numRuns: 300},
    )
  })

  test('throws RecordError, and nothing else, on noise, also behind a good start', async () => {
    const start = section(`java-${codec}`).subarray(0, 20)
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({maxLength: 200}), async (noise) => {
        await outcome(codec, Buffer.from(noise))
        await outcome(codec, Buffer.concat([start, noise]))
      }),
      {numRuns: 300},
    )
  })

  test('refuses every cut of a good input', async () => {
    const intact = await compress(codec, Buffer.from('to be cut, to be cut, to be cut, and to be cut again'.repeat(3)))

    for (let end = 1; end < intact.length; end++) {
      const result = await outcome(codec, intact.subarray(0, end))
      // The xerial framing of snappy has no end mark: a cut between its header and the first block is an empty stream.
      if (!(codec === 'snappy' && end === 16)) expect(result, `${end} of ${intact.length} bytes`).toBeInstanceOf(RecordError)
    }
  })
})

test('codec none hands the bytes through', async () => {
  expect(await compress('none', lz4Noise)).toBe(lz4Noise)
  expect(await decompress('none', lz4Noise)).toBe(lz4Noise)
})

describe('lz4 frames', () => {
  test('with linked blocks, sizes and checksums are read', async () => {
    expect((await decompress('lz4', fixture('lz4-linked'))).equals(lz4Text)).toBe(true)
  })

  test('with stored blocks are read', async () => {
    expect((await decompress('lz4', fixture('lz4-stored'))).equals(lz4Noise)).toBe(true)
  })

  test('that follow each other are read as one', async () => {
    const both = await decompress('lz4', Buffer.concat([fixture('lz4-stored'), fixture('lz4-linked')]))

    expect(both.equals(Buffer.concat([lz4Noise, lz4Text]))).toBe(true)
  })

  test('with a wrong checksum of a block or of the content are refused', async () => {
    const stored = fixture('lz4-stored')
    stored[500]! ^= 1
    const linked = fixture('lz4-linked')
    linked[500]! ^= 1

    await expect(decompress('lz4', stored)).rejects.toThrow('the content has a wrong checksum')
    await expect(decompress('lz4', linked)).rejects.toThrow('a block has a wrong checksum')
  })

  test('with a dictionary are refused', async () => {
    const frame = await compress('lz4', lz4Noise)
    frame[4]! |= 1

    await expect(decompress('lz4', frame)).rejects.toThrow('dictionary')
  })

  test('start as those of the Java clients do', async () => {
    expect((await compress('lz4', lz4Text)).subarray(0, 7)).toEqual(section('java-lz4').subarray(0, 7))
  })
})

describe('snappy', () => {
  test('starts as that of the Java clients does', async () => {
    expect((await compress('snappy', lz4Text)).subarray(0, 16)).toEqual(section('java-snappy').subarray(0, 16))
  })

  test('promising four gigabytes in six bytes is refused before anything is allocated', async () => {
    const promise = Buffer.from('ffffffff0f00', 'hex')

    await expect(decompress('snappy', promise)).rejects.toThrow('are allowed')
    await expect(decompress('snappy', Buffer.from('ffffff3f00', 'hex'))).rejects.toThrow('more output promised')
  })
})

describe('zstd frames', () => {
  test('that follow each other, with a skippable one between them, are read as one', async () => {
    const [java, kcat] = [section('java-zstd'), section('kcat-zstd')]
    const skippable = Buffer.from('502a4d1803000000aabbcc', 'hex')

    const both = await decompress('zstd', Buffer.concat([java, skippable, kcat]))

    expect(both.equals(Buffer.concat([await decompress('zstd', java), await decompress('zstd', kcat)]))).toBe(true)
  })

  test('without a size, of more than a megabyte, are read', async () => {
    // 20 run-length blocks of 100,000 zeros: magic, no flags, a window of 1 MiB, the blocks.
    const blocks = Array.from({length: 20}, (_, i) => runLengthBlock(100_000, i === 19))

    const bytes = await decompress('zstd', Buffer.concat([Buffer.from('28b52ffd0050', 'hex'), ...blocks]))

    expect(bytes.equals(Buffer.alloc(2_000_000))).toBe(true)
  })

  test('promising more than their blocks hold are refused before anything is allocated', async () => {
    const promise = Buffer.concat([Buffer.from('28b52ffda0', 'hex'), Buffer.from('00000007', 'hex'), runLengthBlock(1, true)])

    await expect(decompress('zstd', promise)).rejects.toThrow('more output promised')
  })
})

function runLengthBlock(size: number, last: boolean): Buffer {
  const block = Buffer.alloc(4)
  block.writeUIntLE((size << 3) | (1 << 1) | (last ? 1 : 0), 0, 3)
  return block
}

/** The compressed records section of a fixture that is a batch. */
function section(name: string): Buffer {
  const bytes = fixture(name)
  return bytes.subarray(61, readBatchHeader(bytes).sizeInBytes)
}

async function outcome(codec: Compression, bytes: Buffer): Promise<unknown> {
  const result = await decompress(codec, bytes, 1024 * 1024).catch((error: unknown) => error)
  expect(Buffer.isBuffer(result) || result instanceof RecordError, String(result)).toBe(true)
  return result
}

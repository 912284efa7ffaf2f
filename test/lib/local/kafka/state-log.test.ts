import {chmod, mkdir, readdir, readFile, stat, writeFile} from 'node:fs/promises'
import {dirname, join} from 'node:path'
import fc from 'fast-check'
import {describe, expect, onTestFinished, test} from 'vitest'

import {write} from '../../../../src/lib/local/kafka/log/files.js'
import {StateLog, type StateLogOptions} from '../../../../src/lib/local/kafka/state-log.js'
import {crc32c} from '../../../../src/lib/records/crc32c.js'
import {temporaryDirectory} from '../../../support/log.js'

type Entry = {key: string; value: number | string | null}

/** A map whose every change is an entry of a state log: null takes a key away. */
class Store {
  readonly state = new Map<string, number | string>()
  readonly replayed: Entry[] = []
  log!: StateLog

  static async open(path: string, options: StateLogOptions = {fsync: false}): Promise<Store> {
    const store = new Store()
    const replay = (entry: unknown): void => {
      store.replayed.push(entry as Entry)
      store.#apply(entry as Entry)
    }
    const snapshot = (): Entry[] => [...store.state].map(([key, value]) => ({key, value}))
    store.log = await StateLog.open(path, replay, snapshot, options)
    onTestFinished(() => store.log.close())
    return store
  }

  async set(key: string, value: number | string | null): Promise<void> {
    await this.log.append({key, value})
    this.#apply({key, value})
  }

  /** As state that is changed before it is written. */
  setFirst(key: string, value: number | string | null): Promise<void> {
    this.#apply({key, value})
    return this.log.append({key, value})
  }

  #apply({key, value}: Entry): void {
    if (value === null) this.state.delete(key)
    else this.state.set(key, value)
  }
}

const newPath = async (): Promise<string> => join(await temporaryDirectory(), 'cluster', 'state.log')

const stateIn = async (path: string): Promise<Record<string, unknown>> => {
  const store = await Store.open(path)
  await store.log.close()
  return Object.fromEntries(store.state)
}

test('entries are replayed in order, whatever they hold', async () => {
  const path = await newPath()
  const store = await Store.open(path)
  await store.set('a', 1)
  await Promise.all([store.set('b', 'ünïcödé \u0000 😀'), store.set('a', 2), store.set('c', 3)])
  await store.set('c', null)
  await store.log.close()

  const reopened = await Store.open(path)

  expect(reopened.replayed).toEqual([
    {key: 'a', value: 1},
    {key: 'b', value: 'ünïcödé \u0000 😀'},
    {key: 'a', value: 2},
    {key: 'c', value: 3},
    {key: 'c', value: null},
  ])
})

test('a frame is length, CRC-32C, version and JSON', async () => {
  const path = await newPath()
  const store = await Store.open(path)
  await store.set('a', 1)

  const frame = await readFile(path)
  const json = '{"key":"a","value":1}'

  expect(frame.readUInt32BE(0)).toBe(frame.length - 4)
  expect(frame.readUInt32BE(4)).toBe(crc32c(Buffer.from(`\x01${json}`)))
  expect(frame.subarray(8).toString('latin1')).toBe(`\x01${json}`)
})

test('the file has mode 0600 in a directory of mode 0700', async () => {
  const path = await newPath()
  const store = await Store.open(path)
  await store.set('a', 1)

  expect((await stat(path)).mode & 0o777).toBe(0o600)
  expect((await stat(dirname(path))).mode & 0o777).toBe(0o700)
})

test('entries that wait for a write share the next one', async () => {
  const writes: number[] = []
  const counting: typeof write = (descriptor, buffers, position) => {
    writes.push(buffers.length)
    return write(descriptor, buffers, position)
  }
  const store = await Store.open(await newPath(), {fsync: true, write: counting})

  const first = store.set('0', 0)
  await new Promise((resolve) => setImmediate(resolve))
  await Promise.all([first, ...Array.from({length: 99}, (_, index) => store.set(`${index + 1}`, index))])

  expect(writes).toEqual([1, 99])
})

test('append after close is refused; close waits for what is being written', async () => {
  const path = await newPath()
  const store = await Store.open(path)

  const writing = Promise.all([store.set('a', 1), store.set('b', 2)])
  await store.log.close()
  await writing

  await expect(store.set('c', 3)).rejects.toThrow('closed')
  expect(await stateIn(path)).toEqual({a: 1, b: 2})
})

describe('recovery', () => {
  async function threeEntries(): Promise<{bytes: Buffer; lengths: number[]}> {
    const path = await newPath()
    const store = await Store.open(path)
    const lengths: number[] = []
    for (const key of ['a', 'b', 'c']) {
      await store.set(key, 1)
      lengths.push((await readFile(path)).length)
    }
    return {bytes: await readFile(path), lengths}
  }

  async function openWith(bytes: Buffer): Promise<{store: Store; path: string}> {
    const path = await newPath()
    await mkdir(dirname(path), {recursive: true})
    await writeFile(path, bytes)
    return {store: await Store.open(path), path}
  }

  test('cuts off a torn entry, at whatever byte, and goes on behind the last whole one', async () => {
    const {bytes, lengths} = await threeEntries()

    for (let length = lengths[1]!; length < lengths[2]!; length++) {
      const {store, path} = await openWith(bytes.subarray(0, length))
      await store.set('d', 4)
      await store.log.close()

      expect(await stateIn(path)).toEqual({a: 1, b: 1, d: 4})
    }
  })

  test('cuts at the first entry with a flipped bit', async () => {
    const {bytes, lengths} = await threeEntries()

    await fc.assert(
      fc.asyncProperty(fc.nat({max: bytes.length - 1}), fc.nat({max: 7}), async (at, bit) => {
        const damaged = Buffer.from(bytes)
        damaged[at]! ^= 1 << bit
        const {store, path} = await openWith(damaged)
        await store.log.close()
        const kept = lengths.findIndex((length) => at < length)
        expect(store.replayed.map(({key}) => key)).toEqual(['a', 'b', 'c'].slice(0, kept))
        expect((await readFile(path)).length).toBe(lengths[kept - 1] ?? 0)
      }),
      {numRuns: 100},
    )
  })

  test('cuts off zeros and noise', async () => {
    const {bytes} = await threeEntries()

    for (const tail of [Buffer.alloc(4096), Buffer.alloc(3), Buffer.alloc(100, 0xff)]) {
      const {store} = await openWith(Buffer.concat([bytes, tail]))
      await store.set('d', 4)

      expect(store.replayed).toHaveLength(3)
    }
  })

  test('refuses the entries of a later version, and leaves them', async () => {
    const {bytes, lengths} = await threeEntries()
    const later = Buffer.from(bytes)
    later.writeUInt8(2, lengths[1]! + 8)
    later.writeUInt32BE(crc32c(later, lengths[1]! + 8), lengths[1]! + 4)
    const path = await newPath()
    await mkdir(dirname(path))
    await writeFile(path, later)

    await expect(Store.open(path)).rejects.toThrow('version 2')
    expect(await readFile(path)).toEqual(later)
  })
})

describe('a full disk', () => {
  test('fails what waits, leaves nothing of it, and is forgotten when there is space again', async () => {
    const path = await newPath()
    let full = false
    const disk: typeof write = async (descriptor, buffers, position) => {
      if (!full) return write(descriptor, buffers, position)
      if (buffers[0]!.length < 20) throw new Error('ENOSPC')
      return write(descriptor, [buffers[0]!.subarray(0, 15)], position)
    }
    const store = await Store.open(path, {fsync: false, write: disk})
    await store.set('a', 1)
    full = true

    const results = await Promise.allSettled([store.set('b', 2), store.set('c', 3)])
    const size = (await readFile(path)).length
    full = false
    await store.set('d', 4)
    await store.log.close()

    expect(results.map(({status}) => status)).toEqual(['rejected', 'rejected'])
    expect(size).toBe(9 + '{"key":"a","value":1}'.length)
    expect(await stateIn(path)).toEqual({a: 1, d: 4})
  })
})

describe('compaction', () => {
  test('keeps the file small and loses nothing', async () => {
    const path = await newPath()
    const store = await Store.open(path, {fsync: false, compactBytes: 2000})
    let largest = 0

    for (let round = 0; round < 500; round++) {
      await store.set(`key ${round % 10}`, round)
      largest = Math.max(largest, (await stat(path)).size)
    }
    await store.log.close()

    expect(largest).toBeLessThan(5000)
    expect(await readdir(dirname(path))).toEqual(['state.log'])
    expect(await stateIn(path)).toEqual(Object.fromEntries(store.state))
    expect(store.state.get('key 9')).toBe(499)
  })

  test.each(['after', 'before'] as const)(
    'loses no entry that arrives meanwhile when state is changed %s it is written',
    async (when) => {
      const path = await newPath()
      const store = await Store.open(path, {fsync: false, compactBytes: 500})
      const writers = Array.from({length: 20}, async (_, writer) => {
        for (let index = 0; index < 50; index++) {
          if (when === 'after') await store.set(`${writer}`, index)
          else await store.setFirst(`${writer}`, index)
          if (index % 7 === writer % 7) await new Promise((resolve) => setImmediate(resolve))
        }
      })

      await Promise.all(writers)
      await store.log.close()

      expect(await stateIn(path)).toEqual(Object.fromEntries(Array.from({length: 20}, (_, writer) => [`${writer}`, 49])))
    },
  )

  test('happens after a start too, on a file that has grown', async () => {
    const path = await newPath()
    const store = await Store.open(path)
    for (let round = 0; round < 300; round++) await store.set('a', round)
    await store.log.close()
    const before = (await stat(path)).size

    const reopened = await Store.open(path, {fsync: false, compactBytes: 1000})
    await reopened.set('b', 1)
    await reopened.log.close()

    expect(before).toBeGreaterThan(8000)
    expect((await stat(path)).size).toBeLessThan(100)
    expect(await stateIn(path)).toEqual({a: 299, b: 1})
  })

  test('a crash before the rename leaves the old file, which is used', async () => {
    const path = await newPath()
    const store = await Store.open(path)
    await store.set('a', 1)
    await store.log.close()
    await writeFile(`${path}.tmp`, 'half a snapshot')

    expect(await stateIn(path)).toEqual({a: 1})
    expect(await readdir(dirname(path))).toEqual(['state.log'])
  })

  test('that fails leaves the old file in use', async () => {
    const path = await newPath()
    const store = await Store.open(path, {fsync: false, compactBytes: 500})
    await chmod(dirname(path), 0o500) // no new files
    await mkdir(`${path}.tmp`).catch(() => {}) // root may make files all the same, but not in the place of a directory

    for (let round = 0; round < 60; round++) await store.set('a', round)
    await store.log.close()
    await chmod(dirname(path), 0o700)

    const size = (await stat(path)).size
    expect(size).toBeGreaterThan(1500)
    expect(Object.fromEntries(store.state)).toEqual({a: 59})
  })
})

import assert from 'node:assert/strict'
import {describe, it} from 'node:test'

import {byDirectory} from '../src/core/files.ts'
import {type OnceOptions, type Progress, type Watermarks, writeOnce} from '../src/core/once.ts'
import {rowOf} from '../src/core/row.ts'
import {HOUR, record, TEN_O_CLOCK} from './events.ts'

const SETTINGS = {prefix: 'lake', pathFormat: '{hour}', timeZone: 'UTC', timeField: '', value: 'bytes'} as const
const DEADLINE = {remainingMs: () => 50_000, passed: () => false}

/** Every second record belongs to the next hour. */
const rows = (from: number, to: number) =>
  Array.from({length: to - from}, (_, index) => from + index).map((offset) =>
    rowOf(record(offset, {timestamp: TEN_O_CLOCK + (offset % 2) * HOUR})),
  )

/** A bucket and a table in memory, whose time passes only while somebody sleeps. */
function world() {
  const files = new Map<string, number[]>()
  const items = new Map<string, Progress>()
  let time = 0
  let owners = 0
  const table: Watermarks = {
    read: async (partition) => items.get(partition),
    async claim(partition, claim, begun, seen) {
      const item = items.get(partition)
      if (item !== seen && item?.claim?.owner !== claim.owner) return false
      items.set(partition, {next: seen?.next ?? 0, claim, begun: [...begun]})
      return true
    },
    async confirm(partition, owner, next) {
      if (items.get(partition)?.claim?.owner !== owner) return false
      items.set(partition, {next, claim: undefined, begun: []})
      return true
    },
    async release(partition, claim) {
      const item = items.get(partition)!
      if (item.claim?.owner === claim.owner) items.set(partition, {...item, claim})
    },
  }
  const bucket: OnceOptions['bucket'] = {
    async put({key, rows}) {
      files.set(
        key,
        rows.map(({offset}) => offset),
      )
      return rows.length
    },
    async remove(key) {
      files.delete(key)
    },
  }
  const unreleased: unknown[] = []
  const options: OnceOptions = {
    plan: byDirectory(SETTINGS, 'x', {skipNulls: false}),
    bucket,
    watermarks: table,
    deadline: DEADLINE,
    claimMs: 20_000,
    newOwner: () => `owner ${++owners}`,
    now: () => time,
    async sleep(ms) {
      time += ms
    },
    onUnreleased: (error) => unreleased.push(error),
  }
  const stored = () => [...files.values()].flat().sort((a, b) => a - b)
  const pass = (ms: number) => {
    time += ms
  }
  return {options, files, items, stored, unreleased, pass, now: () => time}
}

const numbers = (from: number, to: number) => Array.from({length: to - from}, (_, index) => from + index)
const never = new Promise<never>(() => {})
const turn = () => new Promise((resolve) => setImmediate(resolve))

describe('writeOnce', () => {
  it('writes a file for each directory, named by its first offset, and moves the watermark', async () => {
    const {options, files, items} = world()

    const written = await writeOnce(rows(4, 8), options)

    assert.deepEqual(Object.fromEntries(files), {
      'lake/10/orders+0+00000000000000000004.x': [4, 6],
      'lake/11/orders+0+00000000000000000005.x': [5, 7],
    })
    assert.deepEqual([written.files, written.skipped, items.get('orders-0')?.next], [[2, 2], 0, 8])
  })

  it('skips what is below the watermark', async () => {
    const {options, stored} = world()
    await writeOnce(rows(0, 6), options)

    const again = await writeOnce(rows(2, 6), options)
    const more = await writeOnce(rows(4, 9), options)

    assert.deepEqual([again.skipped, again.files, more.skipped, stored()], [4, [], 2, numbers(0, 9)])
  })

  it('writes over, or removes, what a killed invocation has left, whatever the bounds are now', async () => {
    for (const killedAt of ['confirm', 'put']) {
      const {options, stored, files} = world()
      let puts = 0
      const killed = {
        ...options,
        watermarks: {...options.watermarks, confirm: () => never},
        bucket: {
          ...options.bucket,
          put: (file: any, signal: any) => (killedAt === 'put' && puts++ ? never : options.bucket.put(file, signal)),
        },
      }
      void writeOnce(rows(0, 8), killed)
      await turn()
      assert.ok(files.size > 0)

      await writeOnce(rows(0, 3), options)
      assert.deepEqual(stored(), numbers(0, 3))
      await writeOnce(rows(3, 8), options)
      assert.deepEqual(stored(), numbers(0, 8))
    }
  })

  it('removes what was begun with records that never come again', async () => {
    const {options, stored} = world()
    void writeOnce(rows(0, 8), {...options, watermarks: {...options.watermarks, confirm: () => never}})
    await turn()

    // The mapping has given up on the first four.
    await writeOnce(rows(4, 8), options)

    assert.deepEqual(stored(), numbers(4, 8))
  })

  it('removes what many failures have left before it notes more', async () => {
    const {options, stored, items} = world()
    const begun = numbers(0, 300).map((number) => `lake/old/${number}`)
    items.set('orders-0', {next: 3, claim: {owner: 'dead', until: -9000}, begun})
    const noted: number[] = []
    const claim: Watermarks['claim'] = (partition, mine, names, seen) => {
      noted.push(names.length)
      return options.watermarks.claim(partition, mine, names, seen)
    }

    await writeOnce(rows(3, 8), {...options, watermarks: {...options.watermarks, claim}})

    assert.deepEqual([noted, stored(), items.get('orders-0')?.begun], [[300, 2], numbers(3, 8), []])
  })

  it('waits until the claim of another has ended, and some more', async () => {
    const {options, now, stored} = world()
    void writeOnce(rows(0, 4), {...options, bucket: {...options.bucket, put: () => never}})
    await turn()

    await writeOnce(rows(0, 2), options)

    assert.deepEqual([now(), stored()], [22_000, [0, 1]])
  })

  it('reports the partition when the other has it for longer than there is time', async () => {
    const {options} = world()
    void writeOnce(rows(0, 4), {...options, bucket: {...options.bucket, put: () => never}})
    await turn()

    await assert.rejects(
      writeOnce(rows(0, 4), {...options, deadline: {...DEADLINE, remainingMs: () => 3000}}),
      /another invocation writes/,
    )
  })

  it('puts nothing after the end of its claim', async () => {
    const {options, pass, stored} = world()
    const slow = {
      ...options,
      watermarks: {
        ...options.watermarks,
        claim: async (...claim: Parameters<Watermarks['claim']>) => {
          const taken = await options.watermarks.claim(...claim)
          pass(20_000)
          return taken
        },
      },
    }

    await assert.rejects(writeOnce(rows(0, 4), slow), /claim has ended/)
    assert.deepEqual(stored(), [])
  })

  it('does not say that it has written when another has taken the partition', async () => {
    const {options, items} = world()
    const robbed = {
      ...options,
      bucket: {
        ...options.bucket,
        async put() {
          items.set('orders-0', {next: 0, claim: {owner: 'another', until: 99_000}, begun: []})
          return 0
        },
      },
    }

    await assert.rejects(writeOnce(rows(0, 4), robbed), /has taken the partition/)
    assert.equal(items.get('orders-0')?.claim?.until, 99_000)
  })

  it('gives the partition back when a file is refused, and tells when it cannot', async () => {
    const {options, unreleased, now, stored} = world()
    const refused = {...options, bucket: {...options.bucket, put: () => Promise.reject(new Error('no'))}}
    await assert.rejects(writeOnce(rows(0, 4), refused), /^Error: no$/)
    await writeOnce(rows(0, 4), options)
    assert.deepEqual([now(), stored()], [2000, numbers(0, 4)])

    const watermarks = {...options.watermarks, release: () => Promise.reject(new Error('away'))}
    await assert.rejects(writeOnce(rows(4, 6), {...refused, watermarks}), /^Error: no$/)
    assert.equal(unreleased.length, 1)
  })

  it('writes more files than fit into one item in parts', async () => {
    const {options, stored, items} = world()
    let confirmed = 0
    const watermarks: Watermarks = {
      ...options.watermarks,
      confirm: (...confirm) => {
        confirmed++
        return options.watermarks.confirm(...confirm)
      },
    }
    const plan = byDirectory({...SETTINGS, pathFormat: '{year}/{month}/{day}/{hour}'}, 'x', {skipNulls: false})
    const everyHour = numbers(0, 450).map((offset) => rowOf(record(offset, {timestamp: offset * HOUR})))

    const written = await writeOnce(everyHour, {...options, plan, watermarks})

    assert.deepEqual([written.files.length, confirmed, items.get('orders-0')?.next], [450, 3, 450])
    assert.deepEqual(stored(), numbers(0, 450))
  })

  it('has each record once after any schedule of splits, deaths and repetitions', async () => {
    for (let seed = 1; seed <= 300; seed++) {
      let state = seed
      const random = (below: number) => {
        state = (state * 48_271) % 0x7fffffff
        return state % below
      }
      const {options, stored} = world()
      const total = 5 + random(30)
      for (let next = 0; next < total; ) {
        const from = Math.max(0, next - random(6))
        const to = Math.min(total, next + 1 + random(12))
        let lives = random(3) === 0 ? random(6) : Number.POSITIVE_INFINITY
        /** Dies before or after a step, and is never heard of again. */
        const mortal =
          <Arguments extends unknown[], Result>(step: (...given: Arguments) => Promise<Result>) =>
          async (...given: Arguments): Promise<Result> => {
            if (lives-- <= 0) return never
            const result = await step(...given)
            return lives === 0 && random(2) === 0 ? never : result
          }
        const {put, remove} = options.bucket
        const {read, claim, confirm, release} = options.watermarks
        const dying = {
          ...options,
          bucket: {put: mortal(put), remove: mortal(remove)},
          watermarks: {read, claim: mortal(claim), confirm: mortal(confirm), release},
        }
        const done = await Promise.race([
          writeOnce(rows(from, to), dying).then(() => true),
          turn()
            .then(turn)
            .then(() => false),
        ])
        if (done) next = to
      }
      assert.deepEqual(stored(), numbers(0, total), `seed ${seed}`)
    }
  })
})

import fc from 'fast-check'
import {expect, test} from 'vitest'

import {PartitionLog} from '../../../../src/lib/local/kafka/log.js'
import {readBatchHeader} from '../../../../src/lib/records/batch.js'
import {afterKill, batchOf, readAll, temporaryDirectory} from '../../../support/log.js'

const SEGMENT_BYTES = 400

type Batch = {base: number; timestamps: number[]; bytes: number; sequence: number}
type Segment = Batch[]

/** What the log should be, said as plainly as possible: segments of batches of timestamps. */
class Model {
  segments: Segment[] = [[]]
  start = 0
  end = 0
  sequence = 0

  append(timestamps: number[], bytes: number): Batch {
    const batch = {base: this.end, timestamps, bytes, sequence: this.sequence}
    const active = this.segments.at(-1)!
    if (active.length > 0 && sizeOf([active]) + bytes > SEGMENT_BYTES) this.segments.push([batch])
    else active.push(batch)
    this.end += timestamps.length
    this.sequence += timestamps.length
    return batch
  }

  moveStart(offset: number): void {
    this.start = Math.max(this.start, offset)
    this.dropBelowStart()
  }

  /** A segment that goes below the start only when another one begins stays until the log looks at its segments again. */
  dropBelowStart(): void {
    while (this.segments.length > 1 && this.segments[1]![0]!.base <= this.start) this.segments.shift()
  }

  retain(now: number, retentionMs: number, retentionBytes: number): void {
    let size = sizeOf(this.segments)
    while (this.segments[0]!.length > 0) {
      const [segment] = this.segments as [Segment]
      const newest = Math.max(...segment.flatMap(({timestamps}) => timestamps))
      size -= sizeOf([segment])
      if (size < retentionBytes && now - newest <= retentionMs) break
      this.start = Math.max(this.start, this.segments[1]?.[0]?.base ?? this.end)
      this.segments.shift()
      if (this.segments.length === 0) this.segments.push([])
    }
    this.dropBelowStart()
  }

  get records(): {offset: number; timestamp: number}[] {
    const all = this.segments
      .flat()
      .flatMap(({base, timestamps}) => timestamps.map((timestamp, index) => ({offset: base + index, timestamp})))
    return all.filter(({offset}) => offset >= this.start)
  }
}

const sizeOf = (segments: Segment[]): number => segments.flat().reduce((sum, {bytes}) => sum + bytes, 0)

const time = fc.integer({min: 0, max: 1000})
const operation = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      does: fc.constant('append' as const),
      timestamps: fc.array(time, {minLength: 1, maxLength: 5}),
      size: fc.nat({max: 120}),
    }),
  },
  {weight: 2, arbitrary: fc.record({does: fc.constant('retry' as const), back: fc.nat({max: 4})})},
  {
    weight: 2,
    arbitrary: fc.record({
      does: fc.constant('read' as const),
      at: fc.double({min: 0, max: 1, noNaN: true}),
      maxBytes: fc.nat({max: 600}),
    }),
  },
  {weight: 2, arbitrary: fc.record({does: fc.constant('find' as const), timestamp: time})},
  {weight: 1, arbitrary: fc.record({does: fc.constant('delete before' as const), at: fc.double({min: 0, max: 1, noNaN: true})})},
  {
    weight: 1,
    arbitrary: fc.record({
      does: fc.constant('retain' as const),
      now: fc.integer({min: 0, max: 3000}),
      bytes: fc.nat({max: 2000}),
    }),
  },
  {weight: 1, arbitrary: fc.record({does: fc.constant('reopen' as const), how: fc.constantFrom('close', 'kill')})},
)

type Operation = typeof operation extends fc.Arbitrary<infer T> ? T : never
type World = {dir: string; log: PartitionLog; model: Model; sent: Batch[]}

const PRODUCER = {producerId: 77, producerEpoch: 0}
const offsetAt = ({model: {start, end}}: World, at: number): number => start + Math.round(at * (end - start))

async function perform(world: World, operation: Operation): Promise<void> {
  const {log, model, sent} = world
  switch (operation.does) {
    case 'append': {
      const records = operation.timestamps.map((timestamp) => ({value: 'v'.repeat(operation.size), timestamp}))
      const batch = await batchOf(records, {...PRODUCER, baseSequence: model.sequence})
      const expected = model.append(operation.timestamps, batch.length)
      sent.push(expected)
      expect(await log.append(batch, readBatchHeader(batch))).toEqual({
        baseOffset: expected.base,
        logAppendTimeMs: -1,
        duplicate: false,
      })
      return
    }
    case 'retry': {
      const original = sent.at(-1 - operation.back)
      if (!original) return
      const batch = await batchOf(
        original.timestamps.map((timestamp) => ({value: 'again', timestamp})),
        {...PRODUCER, baseSequence: original.sequence},
      )
      expect(await log.append(batch, readBatchHeader(batch))).toEqual({
        baseOffset: original.base,
        logAppendTimeMs: -1,
        duplicate: true,
      })
      return
    }
    case 'read': {
      const offset = offsetAt(world, operation.at)
      const bytes = await log.read(offset, operation.maxBytes, {atLeastOneBatch: true})
      const segment =
        model.segments.find((batches) => batches.some(({base, timestamps}) => base + timestamps.length > offset)) ?? []
      const from = segment.filter(({base, timestamps}) => base + timestamps.length > offset)
      let expected = 0
      for (const batch of from) {
        if (expected > 0 && expected + batch.bytes > operation.maxBytes) break
        expected += batch.bytes
      }
      expect(bytes.length).toBe(expected)
      if (bytes.length > 0) expect(readBatchHeader(bytes).baseOffset).toBe(from[0]!.base)
      return
    }
    case 'find': {
      const expected = model.records.find(({timestamp}) => timestamp >= operation.timestamp) ?? null
      expect(await log.offsetForTimestamp(operation.timestamp)).toEqual(expected)
      return
    }
    case 'delete before': {
      const offset = offsetAt(world, operation.at)
      model.moveStart(offset)
      expect(await log.deleteRecordsBefore(offset)).toBe(model.start)
      return
    }
    case 'retain':
      model.retain(operation.now, 1000, operation.bytes)
      return log.applyRetention(operation.now, {retentionMs: 1000, retentionBytes: operation.bytes})
    case 'reopen':
      if (operation.how === 'close') await log.close()
      else world.dir = await afterKill(world.dir)
      world.log = await PartitionLog.open(world.dir, {segmentBytes: SEGMENT_BYTES})
      model.dropBelowStart()
      expect(world.log.recovered).toEqual({truncatedBytes: 0})
  }
}

test('a log is what a list of batches would be, through any history', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(operation, {maxLength: 60, size: 'max'}), async (operations) => {
      const dir = await temporaryDirectory()
      const world: World = {dir, log: await PartitionLog.open(dir, {segmentBytes: SEGMENT_BYTES}), model: new Model(), sent: []}
      for (const each of operations) {
        await perform(world, each)
        const {log, model} = world
        expect([log.logStartOffset, log.highWatermark, log.sizeInBytes]).toEqual([model.start, model.end, sizeOf(model.segments)])
      }
      const records = await readAll(world.log)
      expect(records.map(({offset, timestamp}) => ({offset, timestamp}))).toEqual(world.model.records)
      await world.log.delete()
    }),
    {numRuns: 60},
  )
}, 60_000)

import {expect, it, vi} from 'vitest'

import {type Holder, Memory} from '../../../../src/lib/local/kafka/memory.js'

const MIB = 1024 * 1024

/** Whether taking so much is granted at once, or has to wait; `granted` resolves when it is. */
async function take(holder: Holder, bytes: number): Promise<{isWaiting: boolean; granted: Promise<void>}> {
  let isWaiting = true
  const granted = holder.take(bytes).then(() => {
    isWaiting = false
  })
  await new Promise((resolve) => setImmediate(resolve))
  return {isWaiting, granted}
}

const nobody = (): void => {}

it('lets wait what does not fit, until there is room', async () => {
  const memory = new Memory({limitBytes: 10 * MIB})
  const [first, second, third] = [memory.holder(nobody), memory.holder(nobody), memory.holder(nobody)]

  expect((await take(first, 6 * MIB)).isWaiting).toBe(false)
  const waiting = await take(second, 6 * MIB)
  const behind = await take(third, MIB)
  expect([waiting.isWaiting, behind.isWaiting]).toEqual([true, true])

  expect(first.free).toBe(4 * MIB)
  first.keep(4 * MIB)
  await waiting.granted
  expect([first.bytes, second.bytes, third.bytes]).toEqual([4 * MIB, 6 * MIB, 0])

  second.release()
  await behind.granted
  expect(third.bytes).toBe(MIB)
})

it('does not count what is small', async () => {
  const memory = new Memory({limitBytes: MIB})
  await memory.holder(nobody).take(MIB)

  const small = memory.holder(nobody)

  expect((await take(small, 64 * 1024)).isWaiting).toBe(false)
  expect(small.bytes).toBe(0)
})

it('gives one that is alone whatever it needs', async () => {
  const holder = new Memory({limitBytes: MIB}).holder(nobody)

  await holder.take(5 * MIB)
  await holder.take(5 * MIB)

  expect(holder.bytes).toBe(10 * MIB)
})

it('closes whoever has held its memory longest when somebody has waited too long', async () => {
  const memory = new Memory({limitBytes: 10 * MIB, patienceMs: 50})
  const oldest: Holder = memory.holder(vi.fn(() => oldest.release()))
  const younger = memory.holder(() => expect.unreachable())
  await oldest.take(5 * MIB)
  await younger.take(5 * MIB)

  const {isWaiting, granted} = await take(memory.holder(nobody), 5 * MIB)
  await granted

  expect(isWaiting).toBe(true)
  expect([oldest.bytes, younger.bytes]).toEqual([0, 5 * MIB])
})

it('lets nobody wait who has gone', async () => {
  const memory = new Memory({limitBytes: MIB})
  const [first, gone, third] = [memory.holder(nobody), memory.holder(nobody), memory.holder(nobody)]
  await first.take(MIB)
  const {granted} = await take(gone, MIB)
  const behind = await take(third, MIB)

  gone.release()
  await granted
  first.release()
  await behind.granted

  expect([gone.bytes, third.bytes]).toEqual([0, MIB])
})

it('gives a large buffer again once nobody uses it, and to one at a time', () => {
  const memory = new Memory()
  const [first, second] = [memory.holder(nobody), memory.holder(nobody)]
  const given = first.buffer(MIB)

  expect(second.buffer(MIB).buffer).not.toBe(given.buffer)
  first.reuse()

  const again = second.buffer(MIB - 1_000)
  expect(again.buffer).toBe(given.buffer)
  expect(again).toHaveLength(MIB - 1_000)
  expect(first.buffer(MIB).buffer).not.toBe(given.buffer)
})

it('never gives a buffer again of which it was not said that nobody uses it', () => {
  const memory = new Memory()
  const closed = memory.holder(nobody)
  const given = closed.buffer(MIB)

  closed.release()
  closed.reuse()

  expect(memory.holder(nobody).buffer(MIB).buffer).not.toBe(given.buffer)
})

it('keeps few spare buffers, and none when nothing goes on', async () => {
  const memory = new Memory()
  const holder = memory.holder(nobody)
  const given = new Set(Array.from({length: 200}, () => holder.buffer(MIB).buffer))

  holder.reuse()

  const again = Array.from({length: 200}, () => holder.buffer(MIB).buffer).filter((buffer) => given.has(buffer))
  expect(again).toHaveLength(128)

  holder.reuse()
  await new Promise((resolve) => setTimeout(resolve, 1_200))

  expect(given).not.toContain(holder.buffer(MIB).buffer)
})

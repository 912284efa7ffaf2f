import {describe, expect, it} from 'vitest'

import {decodeBatches} from '../../../../src/lib/kafka/consume/decode.js'
import {batchCrc, encodeBatch, readBatchHeader, writeBatchHeader} from '../../../../src/lib/records/batch.js'

const TRANSACTIONAL = 0x10
const CONTROL = 0x20
const CRC_AT = 17

/** One batch as a broker stores it. */
async function batch(
  values: readonly string[],
  {baseOffset = 0, attributes = 0, producerId = -1, key = null as Buffer | null} = {},
): Promise<Buffer> {
  const records = values.map((value) => ({key, value: Buffer.from(value), headers: [], timestamp: 0}))
  const bytes = await encodeBatch(records, {producerId, producerEpoch: 0, baseSequence: 0})
  const header = readBatchHeader(bytes)
  writeBatchHeader(bytes, {...header, baseOffset, attributes: header.attributes | attributes})
  bytes.writeUInt32BE(batchCrc(bytes, 0, bytes.length), CRC_AT)
  return bytes
}

const marker = (type: 'abort' | 'commit', baseOffset: number, producerId: number): Promise<Buffer> =>
  batch([''], {
    baseOffset,
    producerId,
    attributes: TRANSACTIONAL | CONTROL,
    key: Buffer.from([0, 0, 0, type === 'abort' ? 0 : 1]),
  })

async function decoded(
  batches: readonly Buffer[],
  aborted: {producerId: number; firstOffset: number}[] = [],
): Promise<{values: string[]; next: number}> {
  const values: string[] = []
  let next = -1
  for await (const {records, nextOffset} of decodeBatches({records: Buffer.concat(batches), aborted})) {
    values.push(...records.map(({offset, value}) => `${offset}:${value}`))
    next = nextOffset
  }
  return {values, next}
}

describe('the batches of an answer', () => {
  it('give their records, and where to go on', async () => {
    const batches = [await batch(['a', 'b']), await batch(['c'], {baseOffset: 2})]

    expect(await decoded(batches)).toEqual({values: ['0:a', '1:b', '2:c'], next: 3})
  })

  it('may end in one that is cut off, which is left for the next answer', async () => {
    const whole = await batch(['a'])
    const cut = await batch(['b'.repeat(100)], {baseOffset: 1})

    expect(await decoded([whole, cut.subarray(0, 90)])).toEqual({values: ['0:a'], next: 1})
    expect(await decoded([whole, cut.subarray(0, 20)])).toEqual({values: ['0:a'], next: 1})
  })

  it('hide transaction markers, and go on after them', async () => {
    const batches = [await batch(['a'], {attributes: TRANSACTIONAL, producerId: 7}), await marker('commit', 1, 7)]

    expect(await decoded(batches)).toEqual({values: ['0:a'], next: 2})
  })

  it('hide what was aborted, up to its marker, and nothing of anybody else', async () => {
    const batches = [
      await batch(['kept'], {producerId: 8, attributes: TRANSACTIONAL}),
      await batch(['gone'], {baseOffset: 1, producerId: 7, attributes: TRANSACTIONAL}),
      await batch(['plain'], {baseOffset: 2}),
      await marker('abort', 3, 7),
      await batch(['again'], {baseOffset: 4, producerId: 7, attributes: TRANSACTIONAL}),
    ]

    expect(await decoded(batches, [{producerId: 7, firstOffset: 1}])).toEqual({values: ['0:kept', '2:plain', '4:again'], next: 5})
  })

  it('are refused when a checksum is wrong', async () => {
    const bytes = await batch(['a'])
    bytes[bytes.length - 2]! ^= 1

    await expect(decoded([bytes])).rejects.toThrow('wrong checksum')
  })
})

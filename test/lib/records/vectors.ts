import {readFileSync} from 'node:fs'
import type {RecordInput} from '../../../src/lib/records/batch.js'

/** The bytes of `fixtures/NAME.base64`; `fixtures/README.md` says who made them, and how. */
export function fixture(name: string): Buffer {
  return Buffer.from(readFileSync(new URL(`fixtures/${name}.base64`, import.meta.url), 'latin1'), 'base64')
}

export function javaRecord(i: number): RecordInput {
  const text = `{"order":${i},"customer":"customer-${i % 13}","note":"Zürich → 東京"}`
  return {
    key: i % 5 === 4 ? null : Buffer.from(`key-${i}`),
    value: i % 7 === 6 ? null : Buffer.from(i % 7 === 5 ? '' : text),
    timestamp: 1_700_000_000_000 + ((i * 7919) % 1000) - 500,
    headers:
      i % 3 === 0
        ? [
            {key: Buffer.from('trace'), value: Buffer.from('1')},
            {key: Buffer.from('trace'), value: Buffer.from('2')},
            {key: Buffer.from('nothing'), value: null},
            {key: Buffer.from(''), value: Buffer.from([0xff, 0])},
          ]
        : [],
  }
}

export function kcatLine(i: number): Omit<RecordInput, 'timestamp'> {
  return {
    key: Buffer.from(`key-${i}`),
    value: Buffer.from(`{"order":${i},"customer":"customer-${i % 13}","note":"Zürich → 東京"}`),
    headers: [
      {key: Buffer.from('trace'), value: Buffer.from('1')},
      {key: Buffer.from('trace'), value: Buffer.from('2')},
    ],
  }
}

export const lz4Text = Buffer.from(
  Array.from({length: 4000}, (_, i) => `{"line":${i % 300},"text":"all work and no play"}\n`).join(''),
)

/** The high bytes of a linear congruential generator. */
export const lz4Noise = Buffer.from(noise(1000))

function noise(length: number): number[] {
  const bytes: number[] = []
  let state = 1
  for (let i = 0; i < length; i++) {
    state = Number((BigInt(state) * 1_103_515_245n + 12_345n) % 2n ** 31n)
    bytes.push((state >> 16) & 0xff)
  }
  return bytes
}

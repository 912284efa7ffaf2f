/** What is sent through a pattern, and how it is compared with what has arrived. */
import {randomBytes} from 'node:crypto'

import type {Envelope} from './world.js'

/** Random bytes of random length: none is UTF-8, and one is empty. */
export const payloads = (count: number): Buffer[] =>
  Array.from({length: count}, (_, index) =>
    index === 0 ? Buffer.alloc(0) : Buffer.concat([Buffer.from([0xff, 0]), randomBytes(1 + (index % 500))]),
  )

/** The envelope of a value, with its number in the header `trace`. */
export const asEnvelope = (value: Buffer | null, index: number) => ({
  key: `k${index % 50}`,
  value: value && {base64: value.toString('base64')},
  headers: [['trace', String(index)]],
})

/** What an envelope says of bytes. */
export const bytesOf = (value: unknown): Buffer =>
  typeof value === 'string' ? Buffer.from(value) : Buffer.from((value as {base64: string}).base64, 'base64')

export const headerOf = ({headers}: Envelope, name: string) => headers.find(([one]) => one === name)?.[1]

/** How often each is there. */
export function multiset(values: readonly Buffer[]): Map<string, number> {
  const counts = new Map<string, number>()
  for (const value of values.map((one) => one.toString('base64')).sort()) counts.set(value, (counts.get(value) ?? 0) + 1)
  return counts
}

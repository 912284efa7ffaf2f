import {once} from 'node:events'
import {createWriteStream} from 'node:fs'
import {mkdtemp, rm} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {join} from 'node:path'

export const LINES = 1_000_000

/** So many lines, each made from its number. */
export type Input = {line: (number: number) => string; lines: number}

/** A file of a million orders, 113 MB, in a temporary directory. */
export const fileOfLines = (): Promise<InputFile> => inputOf({line: order, lines: LINES})

export type InputFile = {path: string; remove(): Promise<void>}

/** A file of such lines, in a temporary directory. */
export async function inputOf({line, lines}: Input): Promise<InputFile> {
  const directory = await mkdtemp(join(tmpdir(), 'skk-bench-'))
  const path = join(directory, 'orders.jsonl')
  const file = createWriteStream(path)
  for (let first = 0; first < lines; first += 10_000) {
    const part = Array.from({length: Math.min(10_000, lines - first)}, (_, index) => line(first + index))
    if (!file.write(part.join(''))) await once(file, 'drain')
  }
  file.end()
  await once(file, 'close')
  return {path, remove: () => rm(directory, {recursive: true, force: true})}
}

/** 113 bytes. */
export function order(number: number): string {
  const id = String(number).padStart(7, '0')
  const customer = String((number * 7919) % 100_000).padStart(5, '0')
  const cents = String((number * 104_729) % 100_000).padStart(5, '0')
  return `{"order":"o-${id}","customer":"c-${customer}","cents":"${cents}","currency":"EUR","note":"leave it at the door please"}\n`
}

/** A key, a colon and an order. */
export const keyValue = (number: number): string => `c-${(number * 7919) % 100_000}:${order(number)}`

/** An order as an envelope: the JSON within the JSON is what makes it hard. */
export const envelope = (number: number): string =>
  `${JSON.stringify({key: `c-${(number * 7919) % 100_000}`, value: order(number).trimEnd(), headers: [['trace', String(number)]]})}\n`

/** A kilobyte. */
export const kilobyte = (number: number): string => `${order(number).trimEnd().padEnd(1_023, 'x')}\n`

import {randomUUID} from 'node:crypto'

import {encodeHeaders} from '../../records/batch-writer.js'
import {readVarint, writeVarint} from '../../records/varint.js'
import type {Source} from './input.js'
import type {PlacedRecord} from './placed-record.js'
import {setHeaders} from './records.js'
import {digestOf} from './token.js'

const DIGEST_CHARACTERS = 16
const LONGEST_VARINT_BYTES = 5
/** One header, as a number before it. */
const COUNT_BYTES = 1

/** Adds a header to each record that says which one of the input it is, the same in every run over the same files. */
export class IdHeader {
  private readonly name: Buffer
  private readonly input: string

  /** `input` is what `inputId` gives. */
  constructor(name: string, input: string) {
    this.name = Buffer.from(name)
    this.input = input
  }

  /** After the headers that it has. `ordinal` is its number in the input, from 0. */
  addTo(record: PlacedRecord, ordinal: number): void {
    const own = encodeHeaders([{key: this.name, value: Buffer.from(`${this.input}:${ordinal}`)}])!
    const {headers, headersStart, headersEnd} = record
    if (headers === null) {
      setHeaders(record, own)
      return
    }
    const cursor = {bytes: headers, at: headersStart, end: headersEnd}
    const count = Buffer.alloc(LONGEST_VARINT_BYTES)
    const end = writeVarint(count, readVarint(cursor) + 1, 0)
    setHeaders(
      record,
      Buffer.concat([count.subarray(0, end), headers.subarray(cursor.at, headersEnd), own.subarray(COUNT_BYTES)]),
    )
  }
}

/** Tells inputs apart by their content; of those that cannot be read twice, each run is another. Throws SkkError (local I/O). */
export async function inputId(inputs: readonly Source[]): Promise<string> {
  if (inputs.some(({bytes, modified}) => bytes === null || modified === null))
    return randomUUID().replaceAll('-', '').slice(0, DIGEST_CHARACTERS)
  return (await digestOf(inputs)).slice(0, DIGEST_CHARACTERS)
}

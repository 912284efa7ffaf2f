import {isUtf8} from 'node:buffer'
import {ByteWriter} from '../../records/byte-writer.js'
import {type RecordBounds, readHeaders} from '../../records/record.js'
import type {RecordFormat} from './format.js'
import {isoTime} from './template.js'
import {textValue, type ValueKind} from './value.js'

const HEAD = 'partition,offset,timestamp,key,value,headers\r\n'

/**
 * Records as the lines of a spreadsheet (RFC 4180), under a line with the names of the columns. Null is an empty cell, an empty text is
 * `""`; bytes that are not UTF-8 are `base64:…`; headers are JSON. A text that a spreadsheet would run as a formula begins with an
 * apostrophe (OWASP, "CSV Injection"), unless it is a number.
 */
export function csv(kind: ValueKind): RecordFormat {
  const writeValue = textValue(kind)
  const scratch = new ByteWriter()
  return {
    head: HEAD,
    write(out, section, bounds, partition) {
      scratch.clear()
      writeValue(scratch, section, bounds.valueStart, bounds.valueEnd)
      const value = bounds.valueStart < 0 ? null : scratch.written()
      const key = bounds.keyStart < 0 ? null : section.subarray(bounds.keyStart, bounds.keyEnd)
      const cells = [cell(key), cell(value), cell(headersJson(section, bounds))]
      out.text(`${partition},${bounds.offset},${isoTime(bounds.timestamp)},${cells.join(',')}\r\n`)
    },
  }
}

function headersJson(section: Buffer, bounds: RecordBounds): Buffer | null {
  const headers = readHeaders(section, bounds)
  if (headers.length === 0) return null
  return Buffer.from(JSON.stringify(headers.map(({key, value}) => [shown(key), value && shown(value)])))
}

const shown = (bytes: Buffer): string => (isUtf8(bytes) ? bytes.toString() : `base64:${bytes.toString('base64')}`)

const FORMULA = /^[=+\-@\t\r\uff1d\uff0b\uff0d\uff20]/
const NUMBER = /^[+-]?\d+(\.\d+)?([eE][+-]?\d+)?$/

function cell(bytes: Buffer | null): string {
  if (bytes === null) return ''
  const text = shown(bytes)
  const safe = FORMULA.test(text) && !NUMBER.test(text) ? `'${text}` : text
  return safe === '' || /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe
}

import type {CsvError, Info, Parser} from 'csv-parse'

import type {Source} from './input.js'
import {describer, type JsonFormat} from './json.js'
import type {PlacedRecord} from './placed-record.js'
import {BadLineError, type Portion, type ReadInputs} from './portion.js'
import {openReader} from './reader.js'

const READ_BYTES = 64 * 1024
const MAX_RECORD_BYTES = 64 * 1024 * 1024

/** A row, or why it is none, and where it stands. */
type Row = {content: Record<string, string> | BadLineError; raw: string; line: number; offset: number}

/**
 * Reads comma-separated values with a header row (RFC 4180): a row is a value, as a JSON object of its columns; key, time and
 * headers are taken out of it as out of JSON. A row of another number of columns is a bad line.
 */
export function csvOf(format: JsonFormat): ReadInputs {
  return async function* readRows(inputs, _events, signal) {
    const {parse} = await import('csv-parse')
    const portion = new RowPortion(format)
    let before = 0
    for (const source of inputs) {
      const reader = await openReader(source, signal)
      const parser = rowParser(parse, portion)
      portion.source = source
      const buffer = Buffer.alloc(READ_BYTES)
      try {
        for (let read = await reader.read(buffer, 0); read > 0; read = await reader.read(buffer, 0)) {
          await written(parser, Buffer.from(buffer.subarray(0, read)))
          portion.bytesRead = before + reader.consumed()
          yield portion
        }
        await ended(parser)
        yield portion
      } catch (error) {
        if (!isCsvError(error)) throw error
        portion.push(new BadLineError(reasonOf(error), {ends: true}), '', error as unknown as Info)
        yield portion
      } finally {
        await reader.close()
      }
      before += reader.consumed()
    }
  }
}

function rowParser(parse: typeof import('csv-parse').parse, portion: RowPortion): Parser {
  return parse({
    bom: true,
    columns: true,
    info: true,
    raw: true,
    skip_empty_lines: true,
    skip_records_with_error: true,
    max_record_size: MAX_RECORD_BYTES,
    on_record: ({record, raw}: {record: Record<string, string>; raw: string}, info: Info) => {
      portion.push(record, raw, info)
      return null
    },
    on_skip: (error, raw) => {
      if (error) portion.push(new BadLineError(reasonOf(error)), raw ?? '', error as unknown as Info)
    },
  })
}

const isCsvError = (error: unknown): error is CsvError =>
  typeof (error as CsvError).code === 'string' && (error as CsvError).code.startsWith('CSV_')

const written = (parser: Parser, chunk: Buffer): Promise<void> =>
  new Promise((resolve, reject) => {
    parser.write(chunk, (error) => (error ? reject(error) : resolve()))
  })

const ended = (parser: Parser): Promise<void> =>
  new Promise((resolve, reject) => {
    parser.once('error', reject)
    parser.resume().once('end', resolve)
    parser.end()
  })

class RowPortion implements Portion {
  source!: Source
  readonly firstLine = 2
  bytesRead = 0
  private rows: Row[] = []
  private at = 0
  private current: Row = {content: {}, raw: '', line: 0, offset: 0}
  private readonly describe: ReturnType<typeof describer>

  constructor(format: JsonFormat) {
    this.describe = describer(format)
  }

  /** `raw` may have line ends around it; `lines` and `bytes` tell where the row ends. */
  push(content: Row['content'], raw: string, {lines, bytes}: Pick<Info, 'lines' | 'bytes'>): void {
    const text = raw.replace(/^[\r\n]+|[\r\n]+$/g, '')
    this.rows.push({
      content,
      raw: text,
      line: lines - (text.match(/\n/g)?.length ?? 0),
      // csv-parse counts the line end, and of a CR LF gives only the CR.
      offset: bytes - Buffer.byteLength(text) - (raw.endsWith('\r') ? 2 : raw.endsWith('\n') ? 1 : 0),
    })
  }

  next(record: PlacedRecord): boolean {
    const row = this.rows[this.at++]
    if (row === undefined) {
      this.rows = []
      this.at = 0
      return false
    }
    this.current = row
    if (row.content instanceof BadLineError) throw row.content
    const value = Buffer.from(JSON.stringify(row.content))
    record.value = value
    record.valueStart = 0
    record.valueEnd = value.length
    this.describe(row.content, record)
    return true
  }

  line(): number {
    return this.current.line
  }

  offset(): number {
    return this.current.offset
  }

  raw(): Buffer {
    return Buffer.from(this.current.raw)
  }
}

/** Without the line, which is told beside it. */
const reasonOf = ({message}: CsvError): string => message.replace(/ (on|at) line \d+.*$/s, '').toLowerCase()

import {closeSync, openSync, writeSync} from 'node:fs'

import {SkkError} from '../../errors.js'
import type {Delivery} from './deliver.js'
import type {Place, Places} from './places.js'

/** What became of one record; a line of `--report`, and a contract. */
type Outcome =
  | {status: 'acked'; partition: number; offset: number}
  | {status: 'rejected'; reason: string}
  | {status: 'unknown'}
  | {status: 'unsent'}

/** Lines are written together, this many bytes at once. */
const WRITE_BYTES = 64 * 1024

/** A file that a run writes lines to. Its errors are SkkError (local I/O) that name `flag`. */
export class LineFile {
  private readonly path: string
  private readonly flag: string
  private readonly descriptor: number
  private gathered: Buffer[] = []
  private gatheredBytes = 0

  constructor(path: string, flag: string) {
    this.path = path
    this.flag = flag
    this.descriptor = this.guarded(() => openSync(path, 'w', 0o600))
  }

  write(line: Buffer | string): void {
    const bytes = Buffer.concat([Buffer.from(line), Buffer.from('\n')])
    this.gathered.push(bytes)
    this.gatheredBytes += bytes.length
    if (this.gatheredBytes >= WRITE_BYTES) this.flush()
  }

  close(): void {
    try {
      this.flush()
    } finally {
      closeSync(this.descriptor)
    }
  }

  private flush(): void {
    let bytes = Buffer.concat(this.gathered)
    this.gathered = []
    this.gatheredBytes = 0
    while (bytes.length > 0) bytes = bytes.subarray(this.guarded(() => writeSync(this.descriptor, bytes)))
  }

  private guarded<T>(work: () => T): T {
    try {
      return work()
    } catch (error) {
      const {code, message} = error as NodeJS.ErrnoException
      throw new SkkError(`cannot write "${this.path}": ${code === 'ENOSPC' ? 'no space left on device' : message}`, {
        code: 'OUTPUT_FAILED',
        exit: 'localIo',
        hint: `Make room, or name another file with \`${this.flag}\`.`,
        cause: error,
      })
    }
  }
}

/** `--report`: one JSON line for each record, in the order in which their outcomes became known. */
export class ReportFile {
  private readonly file: LineFile
  private readonly places: Places

  constructor(path: string, places: Places) {
    this.file = new LineFile(path, '--report')
    this.places = places
  }

  record(ordinal: number, outcome: Outcome): void {
    this.line(this.places.placeOf(ordinal), outcome)
  }

  line({source, line}: Place, outcome: Outcome): void {
    this.file.write(JSON.stringify({source, line, ...outcome}))
  }

  delivered(delivery: Delivery, partition: number): void {
    const {batch, kind} = delivery
    for (let i = 0; i < batch.count; i++) {
      if (kind === 'acked') this.record(batch.ordinalAt(i), {status: kind, partition, offset: delivery.baseOffset + i})
      else if (kind === 'rejected') this.record(batch.ordinalAt(i), {status: kind, reason: delivery.reason})
      else this.record(batch.ordinalAt(i), {status: kind})
    }
  }

  close(): void {
    this.file.close()
  }
}

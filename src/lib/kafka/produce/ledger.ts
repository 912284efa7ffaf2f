/** What became of one record that was refused. */
export type Rejection = {source: string; line: number; reason: string}

export type Counts = {read: number; acked: number; rejected: number; unknown: number; unsent: number}

/** Of the first rejections all is kept, of the others only the number. */
const KEPT_REJECTIONS = 20

/** Accounts for every record that was read: it ends as acked, rejected or unknown, or else it is unsent. */
export class Ledger {
  readonly rejections: Rejection[] = []
  private readCount = 0
  private ackedCount = 0
  private rejectedCount = 0
  private unknownCount = 0

  read(records: number): void {
    this.readCount += records
  }

  acked(records: number): void {
    this.ackedCount += records
  }

  /** May have been stored: neither an answer nor a look at the log told. */
  unknown(records: number): void {
    this.unknownCount += records
  }

  rejected(rejection: Rejection): void {
    this.rejectedCount++
    if (this.rejections.length < KEPT_REJECTIONS) this.rejections.push(rejection)
  }

  counts(): Counts {
    const {readCount: read, ackedCount: acked, rejectedCount: rejected, unknownCount: unknown} = this
    return {read, acked, rejected, unknown, unsent: read - acked - rejected - unknown}
  }
}

/** The closing line, which adds up. */
export const closingLine = ({read, acked, rejected, unknown, unsent}: Counts): string =>
  `${read} read = ${acked} acked + ${rejected} rejected + ${unknown} unknown + ${unsent} unsent`

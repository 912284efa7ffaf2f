/** Where a record stood: in which input, and its line there, counted from 1. */
export type Place = {source: string; line: number}

/** Where the records of a run stood, by their numbers. */
export class Places {
  private readonly starts: {ordinal: number; source: string; line: number}[] = []

  /** The records from number `ordinal` on are of `source`, the first of them on `line`. */
  begin(ordinal: number, source: string, line: number): void {
    this.starts.push({ordinal, source, line})
  }

  placeOf(ordinal: number): Place {
    let [from, to] = [0, this.starts.length - 1]
    while (from < to) {
      const middle = (from + to + 1) >> 1
      if (this.starts[middle]!.ordinal <= ordinal) from = middle
      else to = middle - 1
    }
    const start = this.starts[from]!
    return {source: start.source, line: start.line + ordinal - start.ordinal}
  }
}

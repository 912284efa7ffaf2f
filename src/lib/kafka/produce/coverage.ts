import type {ProducerId} from '../requests/init-producer-id.js'
import type {Range} from './batch.js'

/** A batch of an earlier run, and the records of the input that it holds. */
export type Claim = {
  partition: number
  count: number
  /** Those of its records whose partition follows from themselves: all such of the range that belong to `partition`. */
  keyed: Range | null
  /** Those that went there because it was their turn: all keyless ones of the range. */
  keyless: Range | null
  identity: ProducerId | null
  sequence: number
  /** Offset of its first record; null when the log does not hold it. */
  offset: number | null
  /** How many of its records this run has come across. */
  seen: number
}

type Lookup = {claims: {range: Range; claim: Claim}[]; next: number}

/** Which records of an input earlier runs have dealt with. Asked in the order of the input. */
export class Coverage {
  private readonly claims: readonly Claim[]
  private readonly keyless: Lookup
  private readonly keyed: (Lookup | undefined)[] = []

  constructor(claims: readonly Claim[]) {
    this.claims = claims
    this.keyless = lookup(claims.map((claim) => ({range: claim.keyless, claim})))
    for (const partition of new Set(claims.map((claim) => claim.partition))) {
      const own = claims.filter((claim) => claim.partition === partition)
      this.keyed[partition] = lookup(own.map((claim) => ({range: claim.keyed, claim})))
    }
  }

  /** The earlier batch that holds record `ordinal`, which belongs to `partition`, or is keyless (-1); null if none does. */
  claimOf(ordinal: number, partition: number): Claim | null {
    const found = partition < 0 ? this.keyless : this.keyed[partition]
    if (found === undefined) return null
    const {claims} = found
    while (found.next < claims.length && claims[found.next]!.range.last < ordinal) found.next++
    const next = claims[found.next]
    return next !== undefined && next.range.first <= ordinal ? next.claim : null
  }

  /** Whether the whole input held exactly the records of the earlier batches; false if it, or how it is read, is another. */
  isComplete(): boolean {
    return this.claims.every(({seen, count}) => seen === count)
  }
}

function lookup(all: readonly {range: Range | null; claim: Claim}[]): Lookup {
  const claims = all.filter((entry): entry is {range: Range; claim: Claim} => entry.range !== null)
  return {claims: claims.sort((a, b) => a.range.first - b.range.first), next: 0}
}

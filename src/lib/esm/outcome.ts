import {SkkError} from '../errors.js'
import type {Attached} from './attach.js'
import type {Difference} from './plan.js'
import type {Seen} from './wait.js'

/** How one mapping fared, as `--json` shows it. */
export type Outcome = {
  function: string
  topic: string
  group: string
  uuid: string | null
  /** created, updated, adopted, replaced, unchanged, deleted, failed, or `would …`. */
  result: string
  state: string | null
  differences: Difference[]
  /** Calls beyond the first of each. */
  retries: number
  /** What it was seen consuming by. */
  evidence?: string
  error?: SkkError
}

export const withSeen = (outcome: Outcome, seen: Seen | undefined): Outcome => ({
  ...outcome,
  state: seen?.mapping?.state ?? outcome.state,
  ...(seen?.evidence && {evidence: seen.evidence}),
  ...(seen?.error && {error: seen.error}),
})

export const isChange = ({result}: Pick<Attached, 'result'>): boolean => result !== 'unchanged' && result !== 'failed'

/**
 * What a run of several fails with: nothing when all went well, the failure itself of one, pending (8) when all that is missing is
 * time, else partial (7).
 */
export function failureOfMappings(outcomes: readonly Outcome[]): SkkError | null {
  const failed = outcomes.filter(({error}) => error !== undefined)
  if (failed.length === 0) return null
  const first = failed[0]!.error!
  if (outcomes.length === 1) return first
  const pending = failed.every(({error}) => error!.code === 'PENDING')
  const same = failed.length === outcomes.length && failed.every(({error}) => error!.code === first.code)
  const names = failed.slice(0, 5).map(({function: name, topic}) => `"${name} < ${topic}"`)
  const more = failed.length > 5 ? ` and ${failed.length - 5} more` : ''
  return new SkkError(
    `${failed.length} of ${outcomes.length} mappings ${pending ? 'are not ready yet' : 'failed'}: ${names.join(', ')}${more}`,
    {
      code: pending ? 'PENDING' : same ? first.code : 'PARTIAL',
      exit: pending ? 'pending' : same ? exitOf(first) : 'partial',
      hint: first.hint ?? 'What succeeded stays; run the same command again when the cause is gone.',
      retryable: failed.some(({error}) => error!.retryable),
      cause: first,
    },
  )
}

const EXITS = {2: 'usage', 3: 'notFound', 4: 'denied', 5: 'unavailable', 6: 'conflict', 10: 'unknownOutcome'} as const

const exitOf = ({exitCode}: SkkError) => EXITS[exitCode as keyof typeof EXITS] ?? 'partial'

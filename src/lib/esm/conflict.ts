import {SkkError} from '../errors.js'
import {type ConflictReason, type Difference, groupOf, labelOf, type Step} from './plan.js'

type Conflict = Extract<Step, {action: 'conflict'}>

const HINTS: Record<ConflictReason, string> = {
  immutable: 'AWS cannot change these; pass `--replace` to delete it and make it anew, with its consumer group.',
  foreign: 'It was not made by skk; pass `--adopt` to take it over and change it.',
  cloudformation: 'CloudFormation made it and would undo the change; change its template, or pass `--force`.',
  group: 'A consumer group belongs to one mapping; pass another one with `--group`.',
}

/** A difference as `field is 1, not 2`. */
export const describeDifference = ({field, existing, wanted}: Difference): string =>
  `${field} is ${show(existing)}, not ${show(wanted)}`

const show = (value: unknown): string =>
  typeof value === 'string' ? `"${value}"` : value === null ? 'unset' : JSON.stringify(value)

/** Exit 6 with every field that differs. */
export function conflictError({wanted, existing, differences, reason}: Conflict): SkkError {
  const what =
    reason === 'group'
      ? `the consumer group "${groupOf(wanted)}" of mapping "${labelOf(wanted)}" belongs to "${labelOf(existing)}" (${existing.uuid})`
      : `mapping "${labelOf(wanted)}" exists as ${existing.uuid}, and is different: ${differences.map(describeDifference).join('; ')}`
  return new SkkError(what, {code: `MAPPING_${reason.toUpperCase()}`, exit: 'conflict', hint: HINTS[reason]})
}

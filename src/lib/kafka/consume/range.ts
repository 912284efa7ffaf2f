import {SkkError} from '../../errors.js'

/** One end of a range, as the user wrote it. */
export type Position =
  | {kind: 'beginning'}
  | {kind: 'end'}
  | {kind: 'offset'; offset: number}
  /** So many offsets before the end of each partition. */
  | {kind: 'last'; count: number}
  /** So many offsets after the first one; as the end of a range, after its beginning. */
  | {kind: 'plus'; count: number}
  /** The first record that is at least as late, epoch milliseconds. */
  | {kind: 'time'; timestamp: number}

const UNIT_MS: Readonly<Record<string, number>> = {ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000}

const ISO_TIME = /^(\d{4}-\d{2}-\d{2})(?:T(\d{2}:\d{2})(:\d{2}(?:[.,]\d{1,9})?)?)?(Z|[+-]\d{2}:?\d{2})?$/

/**
 * `beginning`, `end`, an offset, `-N` (the last N of each partition), `+N` (N further), an ISO 8601 time (UTC unless it has a zone) or
 * `-DURATION` (so long ago). Throws SkkError (usage).
 */
export function parsePosition(text: string, now = Date.now()): Position {
  if (text === 'beginning' || text === 'end') return {kind: text}
  if (/^\d{1,15}$/.test(text)) return {kind: 'offset', offset: Number(text)}
  if (/^-\d{1,15}$/.test(text)) return {kind: 'last', count: -Number(text)}
  if (/^\+\d{1,15}$/.test(text)) return {kind: 'plus', count: Number(text)}
  const ago = durationMs(text)
  if (ago !== null) return {kind: 'time', timestamp: now - ago}
  const timestamp = isoTime(text)
  if (timestamp !== null) return {kind: 'time', timestamp}
  throw new SkkError(`"${text}" is no place in a topic`, {
    code: 'USAGE',
    exit: 'usage',
    hint: 'Write beginning, end, an offset, -100 for the last hundred of each partition, +100 for a hundred further, a time such as 2026-11-20T10:00Z, or -15m.',
  })
}

function durationMs(text: string): number | null {
  if (!/^-(\d+(\.\d+)?(ms|[smhd]))+$/.test(text)) return null
  return [...text.matchAll(/(\d+(?:\.\d+)?)(ms|[smhd])/g)].reduce(
    (sum, [, count, unit]) => sum + Number(count) * UNIT_MS[unit!]!,
    0,
  )
}

function isoTime(text: string): number | null {
  const [, date, minutes = '00:00', seconds = ':00', zone = 'Z'] = ISO_TIME.exec(text) ?? []
  if (date === undefined) return null
  const offset = zone.replace(/^(...)(\d\d)$/, '$1:$2')
  const timestamp = Date.parse(`${date}T${minutes}${seconds.replace(',', '.')}${offset}`)
  if (Number.isNaN(timestamp)) return null
  // Date.parse takes February 30 for March 2.
  return new Date(`${date}T00:00:00Z`).toISOString().startsWith(date) ? timestamp : null
}

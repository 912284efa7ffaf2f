import {SkkError} from './errors.js'

const unitMs: Record<string, number> = {ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000}

/** Milliseconds of `500ms`, `30s`, `15m`, `2h`, `7d` or a sum such as `1h30m`. Throws SkkError (usage) on anything else. */
export function parseDuration(text: string): number {
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(ms|[smhd])/g)]
  if (parts.length === 0 || parts.map(([part]) => part).join('') !== text) {
    throw new SkkError(`"${text}" is not a duration`, {
      code: 'USAGE',
      exit: 'usage',
      hint: 'Write a number with its unit, such as 500ms, 30s, 15m, 2h or 7d.',
    })
  }
  return parts.reduce((sum, [, count, unit]) => sum + Number(count) * unitMs[unit!]!, 0)
}

/** The two largest units of a span of milliseconds, such as `2h 5m`, `12s`, `340ms` or `0s`. */
export function formatDuration(ms: number): string {
  if (ms > 0 && ms < 1_000) return `${Math.round(ms)}ms`
  let rest = Math.floor(ms / 1_000)
  const parts = (['d', 'h', 'm', 's'] as const).map((unit) => {
    const size = unitMs[unit]! / 1_000
    const count = Math.floor(rest / size)
    rest -= count * size
    return {count, text: `${count}${unit}`}
  })
  const first = parts.findIndex(({count, text}) => count > 0 || text === '0s')
  const shown = parts.slice(first, first + 2).filter(({count}, index) => count > 0 || index === 0)
  return shown.map(({text}) => text).join(' ')
}

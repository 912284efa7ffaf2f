/** What the endpoint's answer means for the record. */
export type Verdict = 'ok' | 'retry' | 'poison' | 'unauthorized'

/** It may work later: the endpoint is away, too busy, or says so. */
export class RetryableError extends Error {
  override readonly name = 'RetryableError'
}

const RETRYABLE = new Set([408, 425, 429])

/**
 * 2xx is done. 408, 425, 429 and 5xx may work later. 401 is about our secret, not about the record. Everything else will be the
 * same next time, a redirect too: it is not followed, because it could lead anywhere inside the network.
 */
export function verdictOf(status: number): Verdict {
  if (status >= 200 && status < 300) return 'ok'
  if (status === 401) return 'unauthorized'
  return status >= 500 || RETRYABLE.has(status) ? 'retry' : 'poison'
}

/** Milliseconds that `Retry-After` asks for, in seconds or as a date; undefined when it says nothing that can be understood. */
export function retryAfterMs(header: string | null, now: number): number | undefined {
  if (header === null || header.trim() === '') return undefined
  if (/^\s*\d+\s*$/.test(header)) return Number(header) * 1000
  const at = Date.parse(header)
  return Number.isNaN(at) ? undefined : Math.max(0, at - now)
}

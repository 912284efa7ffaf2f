import type {Counts} from './ledger.js'

/** How far a run has come. Times are in milliseconds; `totalBytes` is null where the end is not known. */
export type ProduceProgress = Counts & {
  bytesRead: number
  totalBytes: number | null
  elapsedMs: number
  throttledMs: number
}

/** `1000 acked, 2.5 MB/s, throttled 1.2 s, 12 s left`: the rate is that of reading since the beginning. */
export function progressLine({acked, bytesRead, totalBytes, elapsedMs, throttledMs}: ProduceProgress): string {
  const bytesPerMs = bytesRead / Math.max(1, elapsedMs)
  const parts = [`${acked} acked`, `${(bytesPerMs / 1_000).toFixed(1)} MB/s`]
  if (throttledMs > 0) parts.push(`throttled ${seconds(throttledMs)}`)
  if (totalBytes !== null && bytesRead > 0) parts.push(`${Math.ceil((totalBytes - bytesRead) / bytesPerMs / 1_000)} s left`)
  return parts.join(', ')
}

export const seconds = (ms: number): string => `${(ms / 1_000).toFixed(1)} s`

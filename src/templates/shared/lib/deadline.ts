/** How long work may still begin; waits and requests are bounded by it. */
export type Deadline = {remainingMs(): number; passed(): boolean}

const LEAST_RESERVE_MS = 2000

/**
 * The end of an invocation less what its answer needs: the larger of two seconds and a tenth of its time. A batch that is too slow
 * is answered in part and goes on where it stopped; killed by Lambda it would begin anew each time.
 */
export function deadlineOf(context: {getRemainingTimeInMillis(): number}): Deadline {
  const reserveMs = Math.max(LEAST_RESERVE_MS, context.getRemainingTimeInMillis() / 10)
  const remainingMs = () => Math.max(0, context.getRemainingTimeInMillis() - reserveMs)
  return {remainingMs, passed: () => remainingMs() === 0}
}

/** What a test replaces to run in virtual time. Times are milliseconds. */
export type Clock = {now(): number; sleep(ms: number): Promise<unknown>}

/** The rate at which all workers together call, however many there are. */
export type Pace = {
  /** Resolves when the next call may be sent; callers are served in their order. */
  take(): Promise<void>
  succeeded(): void
  /** AWS said 429; nothing is sent before `retryAfterMs` is over. */
  throttled(retryAfterMs?: number): void
  /** Calls per second now. */
  readonly rate: number
  readonly throttles: number
}

export type PaceOptions = {
  clock: Clock
  /** Calls per second at the start. */
  rate?: number
  /** Calls that may be sent at once after a pause. */
  burst?: number
  ceiling?: number
  floor?: number
}

/** How much faster each success makes it below the rate at which AWS last said no, and above it. */
const QUICK_STEP = 0.1
const CAREFUL_STEP = 0.01
/** One throttle usually comes with others of the same moment: they count once. */
const ONE_MOMENT_MS = 1_000

/**
 * A token bucket whose rate grows by addition and shrinks by multiplication. Lambda allows 15 control-plane calls a second per
 * account and region and throttled creates at fewer (aws/aws-cdk#9882); neither limit can be asked for. Having been throttled at a
 * rate, it comes near that rate quickly and beyond it slowly.
 */
export function createPace({clock, rate = 5, burst = 5, ceiling = 10, floor = 0.5}: PaceOptions): Pace {
  let tokens = burst
  let filledAt = clock.now()
  let pausedUntil = 0
  let refusedAt = Number.NEGATIVE_INFINITY
  let refusedRate = Number.POSITIVE_INFINITY
  let throttles = 0
  let queue: Promise<unknown> = Promise.resolve()

  const refill = (): void => {
    const now = clock.now()
    tokens = Math.min(burst, tokens + ((now - filledAt) / 1000) * rate)
    filledAt = now
  }
  const takeOne = async (): Promise<void> => {
    for (;;) {
      refill()
      const wait = Math.max(pausedUntil - clock.now(), tokens < 1 ? ((1 - tokens) / rate) * 1000 : 0)
      if (wait <= 0) break
      await clock.sleep(Math.ceil(wait))
    }
    tokens -= 1
  }

  return {
    take() {
      const turn = queue.then(takeOne)
      queue = turn
      return turn
    },
    succeeded() {
      refill()
      rate = Math.min(ceiling, rate + (rate < refusedRate * 0.9 ? QUICK_STEP : CAREFUL_STEP))
    },
    throttled(retryAfterMs = 0) {
      refill()
      throttles += 1
      // What the bucket had saved was not there on the other side.
      tokens = Math.min(tokens, 0)
      pausedUntil = Math.max(pausedUntil, clock.now() + retryAfterMs)
      if (clock.now() - refusedAt < ONE_MOMENT_MS) return
      refusedAt = clock.now()
      refusedRate = rate
      rate = Math.max(floor, rate / 2)
    },
    get rate() {
      return rate
    },
    get throttles() {
      return throttles
    },
  }
}

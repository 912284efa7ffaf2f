export type Breaker = {
  /** Whether a request may be made. Of those who ask after the pause, one is let through. */
  allows(now: number): boolean
  isOpen(now: number): boolean
  succeeded(): void
  failed(now: number): void
}

/**
 * Opens after so many failures in a row and stays open for a while: an endpoint that is down is not helped by more requests, and a
 * batch that cannot succeed should not run into its deadline. Each sandbox of the function has its own.
 */
export function circuitBreaker({failures, pauseMs}: {failures: number; pauseMs: number}): Breaker {
  let inARow = 0
  let openUntil = 0
  return {
    allows(now) {
      if (inARow < failures) return true
      if (now < openUntil) return false
      openUntil = now + pauseMs
      return true
    },
    isOpen: (now) => inARow >= failures && now < openUntil,
    succeeded() {
      inARow = 0
    },
    failed(now) {
      inARow++
      if (inARow >= failures) openUntil = now + pauseMs
    },
  }
}

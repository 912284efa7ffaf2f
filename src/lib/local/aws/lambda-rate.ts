import {AwsError} from './error.js'

/**
 * The rate limit of Lambda's control plane: a token bucket that holds one second's worth. AWS documents 15 requests a second
 * for everything but GetFunction and GetPolicy, per account and region, and a text, a Reason and a Retry-After for the rest.
 * The size of its bucket is not documented.
 */
export function rateLimit(perSecond: number, now: () => number = () => performance.now()): () => void {
  const capacity = Math.max(1, perSecond)
  let tokens = capacity
  let filledAt = now()
  return () => {
    const at = now()
    tokens = Math.min(capacity, tokens + ((at - filledAt) / 1000) * perSecond)
    filledAt = at
    if (tokens < 1) throw tooManyRequests('CallerRateLimitExceeded', 'Rate exceeded', Math.ceil((1 - tokens) / perSecond))
    tokens--
  }
}

export const tooManyRequests = (reason: string, message: string, retryAfterSeconds: number): AwsError =>
  new AwsError(
    429,
    'TooManyRequestsException',
    message,
    {Type: 'User', Reason: reason},
    {'retry-after': String(retryAfterSeconds)},
  )

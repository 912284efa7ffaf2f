import {PoisonError} from '../lib/batch.ts'
import type {Deadline} from '../lib/deadline.ts'
import type {Breaker} from './breaker.ts'
import {RetryableError, retryAfterMs, verdictOf} from './outcome.ts'
import type {Request} from './request.ts'
import type {Secret} from './secret.ts'

export type Answer = {status: number; retryAfter: string | null; text: string}

export type DeliveryOptions = {
  /** One request and its answer; rejects when there was none within the time. */
  send(request: Request, timeoutMs: number): Promise<Answer>
  /** The header that proves who we are; undefined when the endpoint wants none. */
  authorization: ((secret: string) => string) | undefined
  secret: Secret
  breaker: Breaker
  deadline: Deadline
  timeoutMs: number
  maxAttempts: number
  sleep(ms: number): Promise<unknown>
  random(): number
  now(): number
}

const FIRST_PAUSE_MS = 200
const LONGEST_PAUSE_MS = 10_000

/**
 * Sends until the endpoint has taken the request, within the deadline. Returns how many attempts that took. Throws PoisonError when
 * the endpoint will never take it, and RetryableError when it may later.
 */
export async function deliver(request: Request, options: DeliveryOptions): Promise<number> {
  const {breaker, deadline, secret, maxAttempts, now} = options
  let value = options.authorization && (await secret.current())
  let renewed = false
  for (let attempt = 1; ; attempt++) {
    if (deadline.passed()) throw new RetryableError('no time left to send')
    if (!breaker.allows(now())) throw new RetryableError('the circuit breaker is open')
    const {verdict, why, pauseMs} = await attemptOnce(request, value, options)
    if (verdict === 'unauthorized' && value !== undefined && !renewed) {
      // The secret may have been rotated since it was read; asked for once, and not counted as an attempt.
      renewed = true
      attempt--
      value = await secret.renewed(value)
      continue
    }
    if (verdict === 'ok') return attempt
    if (verdict === 'poison') throw new PoisonError(why)
    if (verdict === 'unauthorized' || attempt >= maxAttempts) throw new RetryableError(`${why}, after ${times(attempt)}`)
    const pause = pauseMs ?? options.random() * Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** (attempt - 1))
    if (pause >= deadline.remainingMs()) throw new RetryableError(`${why}, and no time for another attempt`)
    await options.sleep(pause)
  }
}

type Attempt = {verdict: ReturnType<typeof verdictOf>; why: string; pauseMs: number | undefined}

async function attemptOnce(request: Request, value: string | undefined, options: DeliveryOptions): Promise<Attempt> {
  const {send, authorization, breaker, deadline, timeoutMs, now} = options
  const headers = {...request.headers, ...(value !== undefined && {authorization: authorization!(value)})}
  let answer: Answer
  try {
    answer = await send({...request, headers}, Math.max(1, Math.min(timeoutMs, deadline.remainingMs())))
  } catch (error) {
    breaker.failed(now())
    return {verdict: 'retry', why: `no answer (${causeOf(error)})`, pauseMs: undefined}
  }
  const verdict = verdictOf(answer.status)
  if (verdict === 'retry') breaker.failed(now())
  else breaker.succeeded()
  const said = answer.text === '' ? '' : `: ${answer.text}`
  return {verdict, why: `HTTP ${answer.status}${said}`, pauseMs: retryAfterMs(answer.retryAfter, now())}
}

/** `fetch` hides what happened in the cause of its error. */
function causeOf(error: unknown): string {
  const {name, message, cause} = error as Error & {cause?: {code?: string; message?: string}}
  return cause?.code ?? cause?.message ?? (name === 'Error' ? message : name)
}

const times = (count: number): string => (count === 1 ? 'one attempt' : `${count} attempts`)

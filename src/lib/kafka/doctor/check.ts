import {SkkError} from '../../errors.js'
import type {KafkaTarget} from '../target.js'

/** From the bottom up; each needs those before it. `tunnel` stands for dns and tcp where there is one. */
export type Layer = 'cluster' | 'dns' | 'tcp' | 'tunnel' | 'tls' | 'sasl' | 'apiVersions' | 'metadata'

/** How one layer of one address fared. */
export type Check = {
  layer: Layer
  /** The address as `host:port`, or the name of the cluster. */
  target: string
  ok: boolean
  ms: number
  /** What was found; null when it failed. */
  detail: string | null
  /** Why it failed, and what to do, a sentence each; null when it did not. */
  cause: string | null
  fix: string | null
}

/** An address that is being looked at, and from where. */
export type Place = {host: string; port: number; target: KafkaTarget}

/** What is found in a layer, told in a few words. */
export type Finding = {detail: string}

export type Steps = {
  checks: Check[]
  failure: SkkError | undefined
  /** Does the work of one layer and books how it went. Rethrows what the work throws. */
  step<T extends Finding>(layer: Layer, work: () => Promise<T>): Promise<T>
}

/** Books the layers of one target. Every failure that `step` hears of has to be a SkkError, else it is a bug and passes unbooked. */
export function steps(target: string, now: () => number = Date.now): Steps {
  const booked: Steps = {
    checks: [],
    failure: undefined,
    async step(layer, work) {
      const startedAt = now()
      const base = {layer, target}
      try {
        const found = await work()
        booked.checks.push({...base, ok: true, ms: now() - startedAt, detail: found.detail, cause: null, fix: null})
        return found
      } catch (error) {
        if (!(error instanceof SkkError)) throw error
        const fix = error.hint ?? null
        booked.checks.push({...base, ok: false, ms: now() - startedAt, detail: null, cause: error.message, fix})
        booked.failure ??= error
        throw error
      }
    },
  }
  return booked
}

/** Exit 5, the usual one here. */
export const fault = (message: string, hint: string, cause?: unknown): SkkError =>
  new SkkError(message, {code: 'UNREACHABLE', exit: 'unavailable', hint, cause})

/** Exit 4. */
export const denial = (message: string, hint: string, cause?: unknown): SkkError =>
  new SkkError(message, {code: 'AUTHENTICATION_FAILED', exit: 'denied', hint, cause})

export const addressOf = ({host, port}: Pick<Place, 'host' | 'port'>): string =>
  `${host.includes(':') ? `[${host}]` : host}:${port}`

/** Whether the name is one of MSK Serverless' own; those mean something only inside the cluster's VPCs. */
export const isServerlessName = (host: string): boolean => /\.kafka-serverless\.[a-z0-9-]+\.amazonaws\.com(?:\.cn)?$/i.test(host)

/** The region in the name of an MSK broker. */
export const regionOfName = (host: string): string | undefined =>
  /\.kafka(?:-serverless)?\.([a-z0-9-]+)\.amazonaws\.com(?:\.cn)?$/i.exec(host)?.[1]

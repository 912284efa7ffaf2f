import {setTimeout as delay} from 'node:timers/promises'

import {explainAws} from './errors.js'
import type {Access} from './msk.js'

/** `timestamp` is epoch milliseconds. */
export type LogLine = {timestamp: number; message: string}

const FOLLOW_MS = 2_000
/** CloudWatch takes late events: what is that young is looked at again. */
const LATE_MS = 10_000

/**
 * What a function logged to CloudWatch Logs since a time, in the order of time within an answer; with `follow` until `signal`
 * aborts. Nothing when it has logged nothing yet. Throws SkkError.
 */
export async function* cloudWatchLog(
  access: Access,
  name: string,
  {since, follow, signal}: {since: number; follow: boolean; signal: AbortSignal},
): AsyncGenerator<LogLine> {
  const {CloudWatchLogsClient, FilterLogEventsCommand} = await import('@aws-sdk/client-cloudwatch-logs')
  const client = new CloudWatchLogsClient({
    credentials: access.credentials,
    ...(access.region && {region: access.region}),
    requestHandler: {connectionTimeout: Math.ceil(access.timeoutMs / 2)},
  })
  const logGroupName = `/aws/lambda/${name}`
  const seen = new Map<string, number>()
  let startTime = since
  try {
    do {
      let nextToken: string | undefined
      do {
        const input = {logGroupName, startTime, ...(nextToken && {nextToken})}
        const page = await client.send(new FilterLogEventsCommand(input), {abortSignal: signal}).catch((error: Error) => {
          if (error.name === 'ResourceNotFoundException') return undefined
          throw error
        })
        for (const {eventId = '', timestamp = 0, message = ''} of page?.events ?? []) {
          if (seen.has(eventId)) continue
          seen.set(eventId, timestamp)
          yield {timestamp, message: message.replace(/\n$/, '')}
        }
        nextToken = page?.nextToken
      } while (nextToken)
      startTime = Math.max(since, ...[...seen.values()].map((timestamp) => timestamp - LATE_MS))
      for (const [eventId, timestamp] of seen) if (timestamp < startTime) seen.delete(eventId)
      if (follow) await delay(FOLLOW_MS, undefined, {signal})
    } while (follow)
  } catch (error) {
    if (signal.aborted) return
    throw explainAws(error, {
      action: 'logs:FilterLogEvents',
      resource: logGroupName,
      endpoint: `logs.${access.region}.amazonaws.com`,
    })
  } finally {
    client.destroy()
  }
}

import {readFileSync} from 'node:fs'

import type {HttpEvent} from '../src/core/http.ts'

const golden: HttpEvent = JSON.parse(readFileSync('events/golden.json', 'utf8'))

/** What differs from the golden event; a header that is null is not there. */
export type Change = {
  body?: string
  path?: string
  method?: string
  headers?: Record<string, string | null>
  isBase64Encoded?: boolean
}

/** The bad requests of events/hostile.json, with the status that each is answered. */
export const hostile: (Change & {what: string; status: number})[] = JSON.parse(readFileSync('events/hostile.json', 'utf8'))

/** The golden event with a change; without a body it has none. */
export function eventOf({
  body,
  path = golden.rawPath,
  method = 'POST',
  headers = {},
  isBase64Encoded = false,
}: Change): HttpEvent {
  const {body: _, requestContext, ...rest} = golden
  const present = Object.entries({...golden.headers, ...headers}).filter(([, value]) => value !== null)
  return {
    ...rest,
    rawPath: path,
    headers: Object.fromEntries(present) as HttpEvent['headers'],
    isBase64Encoded,
    requestContext: {...requestContext, http: {...requestContext.http, method}},
    ...(body !== undefined && {body}),
  }
}

export const json = (body: unknown): Change => ({body: JSON.stringify(body)})

import {createHash, timingSafeEqual} from 'node:crypto'

import {HttpError, type HttpEvent} from './http.ts'

export type Access = 'iam' | 'jwt' | 'api-key' | 'public'

/** A rotated key is known so late at most. */
const SECRET_MS = 60_000

/**
 * Whether a request may be made. Who somebody is was found out in front of the function by IAM or a JWT authorizer, which leaves its
 * result in the event: without it the request came by another way. An API key is checked here. Rejects with
 * HttpError: 401, and 503 when the keys cannot be read.
 */
export function gate(access: Access, readKeys: () => Promise<string>, now: () => number = Date.now) {
  const keys = cached(readKeys, now)
  return async ({headers, requestContext: {authorizer}}: HttpEvent): Promise<void> => {
    if (access === 'public') return
    if (access !== 'api-key') {
      if (authorizer?.[access] === undefined) throw new HttpError(401, 'nobody has said who you are')
      return
    }
    const given = headers['x-api-key']
    if (given === undefined || given === '') throw new HttpError(401, 'x-api-key is missing')
    const known = await keys().catch((cause) => {
      throw new HttpError(503, 'nobody can tell now who you are; try again', 503, {cause})
    })
    if (!matches(given, known)) throw new HttpError(401, 'x-api-key is wrong')
  }
}

/** Several keys, separated by blanks, are all good, so that one can be replaced. All are compared, in time that tells nothing. */
function matches(given: string, known: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest()
  const wanted = digest(given)
  const keys = known.split(/\s+/).filter(Boolean)
  return keys.map((key) => timingSafeEqual(digest(key), wanted)).includes(true)
}

/** Whoever guesses keys does not cost a request each to the secret; a failure is not kept. */
function cached(read: () => Promise<string>, now: () => number): () => Promise<string> {
  let known: {value: Promise<string>; until: number} | undefined
  return () => {
    if (known && now() < known.until) return known.value
    const reading = {value: read(), until: now() + SECRET_MS}
    reading.value.catch(() => {
      if (known === reading) known = undefined
    })
    known = reading
    return reading.value
  }
}

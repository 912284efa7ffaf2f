import type {Answer} from './core/delivery.ts'
import type {Request} from './core/request.ts'

/** Enough of an answer to say in a dead letter what was wrong. */
const SHOWN_CHARACTERS = 300

/** One request by Node's own `fetch`, which keeps connections open. A redirect is an answer like any other and is not followed. */
export async function send({url, method, headers, body}: Request, timeoutMs: number): Promise<Answer> {
  const signal = AbortSignal.timeout(timeoutMs)
  const response = await fetch(url, {method, headers, body: new Uint8Array(body), redirect: 'manual', signal})
  const text = response.ok ? await drained(response) : await beginningOf(response)
  return {status: response.status, retryAfter: response.headers.get('retry-after'), text}
}

/** A connection can be used again only when its answer was read; what the endpoint took stays taken if that fails. */
const drained = (response: Response): Promise<string> =>
  response.arrayBuffer().then(
    () => '',
    () => '',
  )

async function beginningOf(response: Response): Promise<string> {
  const decoder = new TextDecoder()
  let text = ''
  for await (const chunk of response.body ?? []) {
    if (text.length < SHOWN_CHARACTERS) text += decoder.decode(chunk, {stream: true})
  }
  return text.slice(0, SHOWN_CHARACTERS).replaceAll(/\s+/g, ' ').trim()
}

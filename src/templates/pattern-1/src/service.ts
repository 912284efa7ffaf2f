import {badRequest, HttpError, type HttpEvent, type HttpResponse, mediaTypeOf, respondError, textOf} from './core/http.ts'
import {parseExact} from './core/json.ts'
import {idempotencyKeyOf, produce} from './core/produce.ts'
import {routeOf} from './core/route.ts'
import {parseV2, renderV2} from './core/v2.ts'
import {parseV3, parseV3Batch, renderV3, renderV3Batch} from './core/v3.ts'
import type {Deadline} from './lib/deadline.ts'
import type {KafkaProducer} from './lib/kafka.ts'

export type ServiceOptions = {
  topics: readonly string[]
  cluster: string
  largestBody: number
  producer: KafkaProducer
  /** Rejects with HttpError for whoever may not. */
  allow(event: HttpEvent): Promise<void>
  now(): number
  onFailure(error: unknown): void
}

/** Answers requests. What is wrong with a request is its answer; everything else that goes wrong rejects. */
export function service(options: ServiceOptions) {
  return async (event: HttpEvent, deadline: Deadline): Promise<HttpResponse> => {
    try {
      await options.allow(event)
      const route = routeOf(event, options)
      const text = textOf(event, options.largestBody)
      const read = () => parsed(text)
      return await answers[route.kind](read, mediaTypeOf(event), {...options, topic: route.topic, deadline, event})
    } catch (error) {
      if (error instanceof HttpError && error.cause) options.onFailure(error.cause)
      if (error instanceof HttpError) return respondError(error)
      throw error
    }
  }
}

type Call = ServiceOptions & {topic: string; deadline: Deadline; event: HttpEvent}

const marked = (call: Call) => ({...call, idempotencyKey: idempotencyKeyOf(call.event.headers['idempotency-key'])})

/** A body of another media type is not even read. */
const answers = {
  async v2(read: () => unknown, mediaType: string, call: Call) {
    return renderV2(await produce(parseV2(read, mediaType, call.now()), marked(call)))
  },
  async v3(read: () => unknown, mediaType: string, call: Call) {
    const record = parseV3(read, mediaType, call.now())
    const [outcome] = await produce([record], marked(call))
    return renderV3(record, outcome!, call)
  },
  async 'v3-batch'(read: () => unknown, mediaType: string, call: Call) {
    const entries = parseV3Batch(read, mediaType, call.now())
    const wanted = entries.map((entry) => ('record' in entry ? entry.record : entry.error))
    return renderV3Batch(entries, await produce(wanted, marked(call)), call)
  },
}

function parsed(text: string): unknown {
  try {
    return parseExact(text)
  } catch {
    throw badRequest('the body is not JSON')
  }
}

import type {Incoming} from './incoming.ts'

/** A field of a header table, as Lambda writes it: a text is its bytes. */
type Field = {bytes: number[]} | number | boolean | null | Field[] | {[name: string]: Field}

/** A message as Lambda's poller delivers it (docs.aws.amazon.com/lambda/latest/dg/with-mq.html). It has no routing key. */
export type RmqMessage = {
  basicProperties: {
    messageId?: string | null
    correlationId?: string | null
    type?: string | null
    contentType?: string | null
    contentEncoding?: string | null
    timestamp?: string | null
    headers?: Record<string, Field> | null
  }
  redelivered: boolean
  /** Base64. */
  data: string
}

/** The messages by `queue::vhost`, in their order. */
export type RmqEvent = {rmqMessagesByQueue: Record<string, RmqMessage[]>}

const PROPERTIES = ['messageId', 'correlationId', 'type', 'contentType', 'contentEncoding', 'timestamp'] as const

/** What a message says. */
export function incoming({basicProperties, data}: RmqMessage): Incoming {
  const headers = Object.entries(basicProperties.headers ?? {})
  return {
    id: basicProperties.messageId ?? undefined,
    group: undefined,
    value: Buffer.from(data, 'base64'),
    attributes: Object.fromEntries(headers.map(([name, field]) => [name, bytesOf(field)])),
    headers: Object.fromEntries(PROPERTIES.map((name) => [`amqp.${name}`, basicProperties[name] ?? undefined])),
  }
}

/** A text byte for byte; a number or a flag as text; a list or a table as JSON. */
function bytesOf(field: Field): Buffer | string {
  const bytes = textBytes(field)
  if (bytes) return bytes
  return typeof field === 'object' && field !== null ? JSON.stringify(readable(field)) : String(field ?? '')
}

function readable(field: Field): unknown {
  const bytes = textBytes(field)
  if (bytes) return bytes.toString()
  if (Array.isArray(field)) return field.map(readable)
  if (typeof field !== 'object' || field === null) return field
  return Object.fromEntries(Object.entries(field).map(([name, one]) => [name, readable(one as Field)]))
}

function textBytes(field: Field): Buffer | undefined {
  const isText = typeof field === 'object' && field !== null && 'bytes' in field && Object.keys(field).length === 1
  const {bytes} = isText ? field : {}
  return Array.isArray(bytes) && bytes.every((one) => typeof one === 'number') ? Buffer.from(bytes as number[]) : undefined
}

import {type Incoming, PoisonError} from './incoming.ts'

export type SqsAttribute = {dataType: string; stringValue?: string; binaryValue?: string}

/** A message as Lambda's poller delivers it. */
export type SqsRecord = {
  messageId: string
  body: string
  /** What SQS says of it, such as SentTimestamp and MessageGroupId. */
  attributes: Record<string, string | undefined>
  messageAttributes: Record<string, SqsAttribute>
  eventSourceARN: string
}

export type SqsEvent = {Records: SqsRecord[]}

/**
 * The attribute that says how the bytes are in the body, which SQS allows text only: `base64`, `empty`, `tombstone` for no value, or
 * the text itself where it is absent.
 */
const ENCODING = 'skk.encoding'

/** What a message says. Throws PoisonError when its body is not what its encoding says. */
export function incoming({messageId, body, attributes, messageAttributes}: SqsRecord, {base64}: {base64: boolean}): Incoming {
  const {[ENCODING]: encoding, ...others} = messageAttributes
  return {
    id: messageId,
    group: attributes['MessageGroupId'],
    value: decoded(body, encoding?.stringValue ?? (base64 ? 'base64' : 'text')),
    attributes: Object.fromEntries(Object.entries(others).map(([name, attribute]) => [name, bytesOf(attribute)])),
    headers: {
      'sqs.messageId': messageId,
      'sqs.sentTimestamp': attributes['SentTimestamp'],
      'sqs.sequenceNumber': attributes['SequenceNumber'],
    },
  }
}

const bytesOf = ({stringValue, binaryValue}: SqsAttribute): Buffer | string =>
  stringValue ?? Buffer.from(binaryValue ?? '', 'base64')

function decoded(body: string, encoding: string): Buffer | null {
  if (encoding === 'text') return Buffer.from(body)
  if (encoding === 'tombstone') return null
  if (encoding === 'empty') return Buffer.alloc(0)
  if (encoding !== 'base64') throw new PoisonError(`the attribute ${ENCODING} is not base64, empty, tombstone or text`)
  const bytes = Buffer.from(body, 'base64')
  // Node skips what is no base64, and the message would be another one.
  if (bytes.toString('base64') !== body) throw new PoisonError('the body is not base64')
  return bytes
}

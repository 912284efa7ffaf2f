import {SendMessageCommand, SQSClient} from '@aws-sdk/client-sqs'

import type {KafkaRecord} from './batch.ts'

/** Of one message, with its attributes. A record that is larger stays with the mapping, whose own destination takes it at last. */
const LARGEST_BYTES = 1024 * 1024

/** A dead letter: the record whole, as the event had it, and why it is here. */
export type DeadLetter = KafkaRecord & {error: {name: string; message: string}; function: string; at: string}

export function deadLetter(record: KafkaRecord, {name, message}: Error): DeadLetter {
  const own = process.env['AWS_LAMBDA_FUNCTION_NAME'] ?? 'local'
  return {...record, error: {name, message}, function: own, at: new Date().toISOString()}
}

export type LetterOptions = {
  /** Texts beside the body, for those who sort letters without opening them. */
  attributesOf?(record: KafkaRecord, error: Error): Record<string, string>
  /** Keeps a letter that SQS does not take, and returns what is sent in its place. */
  keepLarge?(letter: DeadLetter): Promise<object>
}

/** Sends dead letters to a queue. Without a queue nothing can be put aside, so that the record counts as failed. */
export function deadLetterQueue(
  queueUrl: string,
  client: () => SQSClient = sharedClient,
  {attributesOf = () => ({}), keepLarge}: LetterOptions = {},
) {
  return async (record: KafkaRecord, error: Error): Promise<void> => {
    if (queueUrl === '') throw new Error(`no DLQ_URL to put the record aside: ${error.message}`)
    const letter = deadLetter(record, error)
    const attributes = Object.entries(attributesOf(record, error))
    const besides = attributes.reduce((sum, [name, value]) => sum + Buffer.byteLength(`String${name}${value}`), 0)
    let body = bodyOf(letter)
    const bytes = Buffer.byteLength(body) + besides
    if (bytes > LARGEST_BYTES) {
      if (!keepLarge) throw new Error(`the dead letter has ${bytes} bytes, SQS takes ${LARGEST_BYTES}: ${error.message}`)
      body = bodyOf(await keepLarge(letter))
    }
    const named = attributes.map(([name, value]) => [name, {DataType: 'String', StringValue: value}])
    await client().send(
      new SendMessageCommand({QueueUrl: queueUrl, MessageBody: body, MessageAttributes: Object.fromEntries(named)}),
    )
  }
}

/** SQS refuses two characters that JSON may have as they are: they are escaped. */
const bodyOf = (letter: object): string =>
  JSON.stringify(letter).replaceAll(/[\uFFFE\uFFFF]/g, (text) => `\\u${text.charCodeAt(0).toString(16)}`)

let shared: SQSClient | undefined

/** Made when it is first needed: a cold start without poison does not pay for it. */
function sharedClient(): SQSClient {
  shared ??= new SQSClient({})
  return shared
}

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

/** Sends dead letters to a queue. Without a queue nothing can be put aside, so that the record counts as failed. */
export function deadLetterQueue(queueUrl: string, client: () => SQSClient = sharedClient) {
  return async (record: KafkaRecord, error: Error): Promise<void> => {
    if (queueUrl === '') throw new Error(`no DLQ_URL to put the record aside: ${error.message}`)
    const MessageBody = JSON.stringify(deadLetter(record, error))
    const bytes = Buffer.byteLength(MessageBody)
    if (bytes > LARGEST_BYTES) throw new Error(`the dead letter has ${bytes} bytes, SQS takes ${LARGEST_BYTES}: ${error.message}`)
    await client().send(new SendMessageCommand({QueueUrl: queueUrl, MessageBody}))
  }
}

let shared: SQSClient | undefined

/** Made when it is first needed: a cold start without poison does not pay for it. */
function sharedClient(): SQSClient {
  shared ??= new SQSClient({})
  return shared
}

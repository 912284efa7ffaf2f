import {createHash} from 'node:crypto'

import {SendMessageCommand, SQSClient} from '@aws-sdk/client-sqs'

import type {Queued} from './core/forward.ts'
import {large} from './large.ts'

/** Of one message, with its attribute. */
const LARGEST_BYTES = 1024 * 1024
const SHOWN_CHARACTERS = 256

/**
 * Sends messages to the queue of dead letters: each whole, as the event had it, with its queue and the reason, which is in the
 * attribute `skk.error`, too. What SQS does not take goes into the bucket, and the letter says where.
 */
export function deadLetters(queueUrl: string, bucket: string) {
  const keep = large(bucket)
  let client: SQSClient | undefined
  return async ({queue, message}: Queued, {name, message: reason}: Error): Promise<void> => {
    if (queueUrl === '') throw new Error(`no DLQ_URL to put the message aside: ${reason}`)
    client ??= new SQSClient({})
    const about = {queue, error: {name, message: reason}, at: new Date().toISOString()}
    let body = JSON.stringify({...about, ...message})
    const error = shown(`${name}: ${reason}`)
    if (Buffer.byteLength(body) > LARGEST_BYTES - SHOWN_CHARACTERS * 4) {
      if (!keep) throw new Error(`the dead letter is too large for SQS, and there is no LARGE_BUCKET: ${reason}`)
      const key = `letters/${createHash('sha256').update(message.data).digest('hex')}.json`
      body = JSON.stringify({...about, stored: await keep(key, body)})
    }
    const MessageAttributes = {'skk.error': {DataType: 'String', StringValue: error}}
    await client.send(new SendMessageCommand({QueueUrl: queueUrl, MessageBody: body, MessageAttributes}))
  }
}

/** SQS refuses a message for one control character in an attribute. */
const shown = (text: string): string =>
  text
    .slice(0, SHOWN_CHARACTERS)
    .toWellFormed()
    .replaceAll(/[^\x20-\uFFFD]/g, ' ')

import {type MessageAttributeValue, SendMessageCommand, SQSClient} from '@aws-sdk/client-sqs'

import type {SqsAttribute, SqsRecord} from './core/message.ts'

/** Of one message, by SQS. */
const MOST_ATTRIBUTES = 10
const SHOWN_CHARACTERS = 256

/**
 * Sends messages to the queue of dead letters as they came: body, attributes and group, and the reason in the attribute `skk.error`.
 * A message that has ten attributes already goes without it.
 */
export function deadLetters(queueUrl: string) {
  let client: SQSClient | undefined
  return async ({messageId, body, attributes, messageAttributes}: SqsRecord, error: Error): Promise<void> => {
    if (queueUrl === '') throw new Error(`no DLQ_URL to put the message aside: ${error.message}`)
    client ??= new SQSClient({})
    const own = Object.entries(messageAttributes).map(([name, attribute]) => [name, forSdk(attribute)] as const)
    const reason = ['skk.error', {DataType: 'String', StringValue: shown(`${error.name}: ${error.message}`)}] as const
    await client.send(
      new SendMessageCommand({
        QueueUrl: queueUrl,
        MessageBody: body,
        MessageAttributes: Object.fromEntries(own.length < MOST_ATTRIBUTES ? [...own, reason] : own),
        ...(queueUrl.endsWith('.fifo') && {
          MessageGroupId: attributes['MessageGroupId'] ?? messageId,
          MessageDeduplicationId: messageId,
        }),
      }),
    )
  }
}

function forSdk({dataType, stringValue, binaryValue}: SqsAttribute): MessageAttributeValue {
  if (stringValue !== undefined) return {DataType: dataType, StringValue: stringValue}
  return {DataType: dataType, BinaryValue: Buffer.from(binaryValue ?? '', 'base64')}
}

/** SQS refuses a message for one control character in an attribute. */
const shown = (text: string): string =>
  text
    .slice(0, SHOWN_CHARACTERS)
    .toWellFormed()
    .replaceAll(/[^\x20-\uFFFD]/g, ' ')

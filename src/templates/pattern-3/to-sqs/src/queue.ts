import {SendMessageBatchCommand, SQSClient} from '@aws-sdk/client-sqs'

import type {Result} from './core/batches.ts'
import type {SqsMessage} from './core/message.ts'

/** One call of SendMessageBatch: what became of each message, in their order. */
export function queueOf(queueUrl: string) {
  let client: SQSClient | undefined
  const isFifo = queueUrl.endsWith('.fifo')
  return async (messages: readonly SqsMessage[]): Promise<Result[]> => {
    client ??= new SQSClient({})
    const Entries = messages.map(({body, attributes, group, id}, index) => ({
      Id: String(index),
      MessageBody: body,
      MessageAttributes: attributes,
      ...(isFifo && {MessageGroupId: group, MessageDeduplicationId: id}),
    }))
    const {Successful = [], Failed = []} = await client.send(new SendMessageBatchCommand({QueueUrl: queueUrl, Entries}))
    const results = new Map<string | undefined, Result>(Successful.map(({Id}) => [Id, {ok: true}]))
    for (const {Id, Code = '', Message = '', SenderFault = false} of Failed)
      results.set(Id, {ok: false, code: Code, message: Message, senderFault: SenderFault})
    return messages.map(
      (_, index) => results.get(String(index)) ?? {ok: false, code: 'Missing', message: 'no answer', senderFault: false},
    )
  }
}

import {consumer} from './consumer.ts'
import {batches, EntryError, MOST_BYTES} from './core/batches.ts'
import {placeInBucket} from './core/carry.ts'
import {bytesOf, messageOf, pointerMessage} from './core/message.ts'
import {large} from './large.ts'
import {PoisonError} from './lib/batch.ts'
import {queueOf} from './queue.ts'
import {readSettings} from './settings.ts'

const settings = readSettings(process.env)
const send = batches(queueOf(settings.targetUrl))
const keep = large(settings.bucket)

/** Each record becomes a message; one that SQS does not take whole goes into the bucket, and the message says where it is. */
export const handler = consumer(settings, async (record) => {
  let message = messageOf(record)
  if (bytesOf(message) > MOST_BYTES) {
    if (!keep) throw new PoisonError('larger than a message of SQS, and there is no LARGE_BUCKET')
    message = pointerMessage(message, await keep(`${placeInBucket(record)}.json`, JSON.stringify(record)))
  }
  try {
    await send(message, bytesOf(message))
  } catch (error) {
    if (error instanceof EntryError && error.senderFault) throw new PoisonError(`SQS refuses it: ${error.message}`)
    throw error
  }
})

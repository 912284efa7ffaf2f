import type {Broker} from '../broker.js'
import {ERROR} from './error-codes.js'

/** The error code of a change that goes to disk: none, or KAFKA_STORAGE_ERROR when the disk refuses it. */
export async function storageError(broker: Broker, change: () => Promise<unknown>): Promise<number> {
  try {
    await change()
    return ERROR.none
  } catch (error) {
    broker.log(`error: ${broker.name}: ${(error as Error).message}`)
    return ERROR.kafkaStorageError
  }
}

/** Bytes that are not what they claim to be: a record batch, a record, or a compressed block of records. */
export class RecordError extends Error {
  override readonly name = 'RecordError'
}

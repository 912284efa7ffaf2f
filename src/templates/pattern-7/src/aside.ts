import {PutObjectCommand, S3Client} from '@aws-sdk/client-s3'

import {type StreamRecord, tableOf} from './core/change.ts'

/** Keeps records in a bucket, whole, with the reason. Without a bucket nothing can be put aside, so that the record counts as failed. */
export function aside(bucket: string) {
  let client: S3Client | undefined
  return async (record: StreamRecord, {name, message}: Error): Promise<void> => {
    if (bucket === '') throw new Error(`no DEAD_LETTERS_BUCKET to put the record aside: ${message}`)
    // Made when it is first needed: a cold start without poison does not pay for it.
    client ??= new S3Client({})
    const Body = JSON.stringify({...record, error: {name, message}, at: new Date().toISOString()})
    await client.send(new PutObjectCommand({Bucket: bucket, Key: objectKeyOf(record), Body, ContentType: 'application/json'}))
  }
}

/** The same record has the same place each time. */
const objectKeyOf = (record: StreamRecord): string => `poison/${tableOf(record)}/${record.dynamodb.SequenceNumber}.json`

import {PutObjectCommand, S3Client} from '@aws-sdk/client-s3'

/** Where something is kept. */
export type Stored = {bucket: string; key: string}

/** Keeps what SQS does not take in a bucket; undefined without one. The same thing has the same key each time. */
export function large(bucket: string): ((key: string, body: Buffer | string) => Promise<Stored>) | undefined {
  if (bucket === '') return undefined
  let client: S3Client | undefined
  return async (key, body) => {
    // Made when it is first needed: little is so large.
    client ??= new S3Client({})
    await client.send(new PutObjectCommand({Bucket: bucket, Key: key, Body: body}))
    return {bucket, key}
  }
}

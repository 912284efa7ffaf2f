import {PutObjectCommand, S3Client} from '@aws-sdk/client-s3'

import {objectKeyOf, pointerTo} from './core/letter.ts'
import type {DeadLetter} from './lib/dlq.ts'

/** Keeps letters that SQS does not take in a bucket. Without a bucket they stay with the mapping, whose destination takes them. */
export function largeLetters(bucket: string): ((letter: DeadLetter) => Promise<object>) | undefined {
  if (bucket === '') return undefined
  let client: S3Client | undefined
  return async (letter) => {
    // Made when it is first needed: few letters are so large.
    client ??= new S3Client({})
    const key = objectKeyOf(letter)
    const Body = JSON.stringify(letter)
    await client.send(new PutObjectCommand({Bucket: bucket, Key: key, Body, ContentType: 'application/json'}))
    return pointerTo(letter, {bucket, key})
  }
}

import {DeleteObjectCommand, PutObjectCommand, S3Client} from '@aws-sdk/client-s3'

import type {Format} from './core/format.ts'
import type {Bucket} from './core/write.ts'

/** The bucket of that name, in which files have one format. */
export function bucketOf(name: string, {encode, contentType}: Format): Bucket {
  const client = new S3Client({})
  return {
    async put(file, abortSignal) {
      const Body = encode(file)
      await client.send(new PutObjectCommand({Bucket: name, Key: file.key, Body, ContentType: contentType}), {abortSignal})
      return Body.length
    },
    async remove(Key, abortSignal) {
      await client.send(new DeleteObjectCommand({Bucket: name, Key}), {abortSignal})
    },
  }
}

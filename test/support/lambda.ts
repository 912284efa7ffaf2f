import {LambdaClient} from '@aws-sdk/client-lambda'
import {onTestFinished} from 'vitest'
import type {Local} from '../../src/lib/local/index.js'
import {zipArchive} from './zip-archive.js'

const ROLE = 'arn:aws:iam::123456789012:role/lambda'

/** AWS's own client against the stack; its retries are off, so that every answer is seen. */
export function lambdaClient({endpoint, region, accessKeyId, secretAccessKey}: Local): LambdaClient {
  const client = new LambdaClient({endpoint, region, credentials: {accessKeyId, secretAccessKey}, maxAttempts: 1})
  onTestFinished(() => client.destroy())
  return client
}

/** The input of CreateFunction for one file. */
export function newFunction(name: string, source: string, {file = 'index.mjs'} = {}) {
  return {
    FunctionName: name,
    Role: ROLE,
    Runtime: 'nodejs22.x' as const,
    Handler: 'index.handler',
    Code: {ZipFile: zipArchive([{name: file, content: source}])},
  }
}

/** Resolves with the first value of `read` that is wanted; rejects after `ms`. */
export async function until<T>(read: () => Promise<T> | T, wanted: (value: T) => boolean, ms = 10_000): Promise<T> {
  const end = Date.now() + ms
  for (;;) {
    const value = await read()
    if (wanted(value)) return value
    if (Date.now() > end) throw new Error(`still ${JSON.stringify(value)} after ${ms} ms`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

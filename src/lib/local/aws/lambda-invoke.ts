import {randomUUID} from 'node:crypto'

import type {FunctionRecord, FunctionVersion} from '../lambda/function-record.js'
import type {Functions} from '../lambda/functions.js'
import {THROTTLED} from '../lambda/sandboxes.js'
import {AwsError} from './error.js'
import {conflict, invalidParameter} from './lambda-input.js'
import {tooManyRequests} from './lambda-rate.js'
import type {AwsRequest, AwsResponse} from './server.js'

/** Of the payload, in bytes (Lambda quotas, 2026-11). */
const LIMITS = {RequestResponse: 6 * 1024 * 1024, Event: 1024 * 1024}

type Invoked = {record: FunctionRecord; version: FunctionVersion; qualifier: string | undefined}

/** Invoke: RequestResponse with or without the log's tail, Event, and DryRun. */
export async function invoke(
  functions: Functions,
  {record, version, qualifier}: Invoked,
  request: AwsRequest,
): Promise<AwsResponse> {
  const type = request.header('x-amz-invocation-type') ?? 'RequestResponse'
  if (type === 'DryRun') return {status: 204}
  if (type !== 'RequestResponse' && type !== 'Event') {
    throw invalidParameter(
      `1 validation error detected: Value '${type}' at 'invocationType' failed to satisfy constraint: Member must satisfy enum value set: [Event, RequestResponse, DryRun]`,
    )
  }
  if (version.state === 'Pending') {
    throw conflict('The operation cannot be performed at this time. The function is currently in the following state: Pending')
  }
  const options = {
    payload: readPayload(request, type),
    qualifier,
    clientContext: readClientContext(request),
    requestId: randomUUID(),
  }
  if (type === 'Event') {
    functions.invokeLater(record, version, options)
    return {status: 202}
  }
  const result = await functions.invoke(record, version, options)
  if (result === THROTTLED) throw tooManyRequests('ConcurrentInvocationLimitExceeded', 'Rate Exceeded.', 1)
  const wantsLog = request.header('x-amz-log-type') === 'Tail'
  return {
    status: 200,
    payload: result.payload,
    headers: {
      'x-amz-executed-version': version.version,
      ...(result.functionError && {'x-amz-function-error': result.functionError}),
      ...(wantsLog && {'x-amz-log-result': result.logTail.toString('base64')}),
    },
  }
}

function readPayload({payload}: AwsRequest, type: keyof typeof LIMITS): Buffer {
  if (payload.length > LIMITS[type]) {
    const message = `${payload.length} byte payload is too large for the ${type} invocation type (limit ${LIMITS[type]} bytes)`
    throw new AwsError(413, 'RequestTooLargeException', message, {Type: 'User'})
  }
  if (payload.length === 0) return Buffer.from('{}')
  try {
    JSON.parse(new TextDecoder('utf-8', {fatal: true}).decode(payload))
    return payload
  } catch (error) {
    const message = `Could not parse request body into json: ${(error as Error).message}`
    throw new AwsError(400, 'InvalidRequestContentException', message, {Type: 'User'})
  }
}

/** It goes into a header of the Runtime API, so that it must be JSON in ASCII. */
function readClientContext(request: AwsRequest): string | undefined {
  const encoded = request.header('x-amz-client-context')
  if (encoded === undefined) return undefined
  try {
    const text = JSON.stringify(JSON.parse(Buffer.from(encoded, 'base64').toString()))
    return text.replace(/[\u007f-\uffff]/g, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`)
  } catch {
    throw new AwsError(400, 'InvalidRequestContentException', 'Client context must be a valid Base64-encoded JSON object.', {
      Type: 'User',
    })
  }
}

import {gunzipSync} from 'node:zlib'

/** The event of API Gateway's HTTP APIs and of function URLs, payload version 2.0, as far as it is read. */
export type HttpEvent = {
  rawPath: string
  /** In lower case. */
  headers: Record<string, string | undefined>
  body?: string
  isBase64Encoded: boolean
  requestContext: {http: {method: string}; authorizer?: {iam?: unknown; jwt?: unknown}}
}

export type HttpResponse = {statusCode: number; headers: Record<string, string>; body: string}

/** What a request is answered when it cannot be done. Its text goes to whoever asked. */
export class HttpError extends Error {
  override readonly name = 'HttpError'
  readonly status: number
  /** As the Kafka REST Proxy numbers errors: the status, or the status and two digits. */
  readonly code: number

  constructor(status: number, message: string, code = status, options?: ErrorOptions) {
    super(message, options)
    this.status = status
    this.code = code
  }
}

export const badRequest = (message: string): HttpError => new HttpError(400, message)

const RETRY_AFTER_SECONDS = '2'

export function respond(statusCode: number, body: object): HttpResponse {
  const headers = {
    'content-type': 'application/json',
    'cache-control': 'no-store',
    ...(statusCode === 503 && {'retry-after': RETRY_AFTER_SECONDS}),
    ...(statusCode === 405 && {allow: 'POST'}),
  }
  return {statusCode, headers, body: JSON.stringify(body)}
}

export const respondError = ({status, code, message}: HttpError): HttpResponse => respond(status, {error_code: code, message})

/** The media type, without its parameters. */
export const mediaTypeOf = ({headers}: HttpEvent): string => (headers['content-type'] ?? '').split(';')[0]!.trim().toLowerCase()

/** The text of the body. Throws HttpError: 400, 413 when it is larger, also unpacked, 415 for a coding other than gzip. */
export function textOf({body = '', isBase64Encoded, headers}: HttpEvent, largestBytes: number): string {
  const bytes = Buffer.from(body, isBase64Encoded ? 'base64' : 'utf8')
  if (bytes.length > largestBytes) throw tooLarge(largestBytes)
  const coding = (headers['content-encoding'] ?? 'identity').trim().toLowerCase()
  if (coding !== 'identity' && coding !== 'gzip') throw new HttpError(415, 'the content encoding is not gzip')
  try {
    return new TextDecoder('utf-8', {fatal: true}).decode(coding === 'gzip' ? unpacked(bytes, largestBytes) : bytes)
  } catch (error) {
    if (error instanceof HttpError) throw error
    throw badRequest('the body is not UTF-8')
  }
}

/** A small body can be a large one: it is not unpacked further than it may be. */
function unpacked(bytes: Buffer, largestBytes: number): Buffer {
  try {
    return gunzipSync(bytes, {maxOutputLength: largestBytes})
  } catch (error) {
    if ((error as {code?: string}).code === 'ERR_BUFFER_TOO_LARGE') throw tooLarge(largestBytes)
    throw badRequest('the body is not gzip')
  }
}

const tooLarge = (largestBytes: number): HttpError => new HttpError(413, `the body has more than ${largestBytes} bytes`)

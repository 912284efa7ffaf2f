import {createHash, createHmac, timingSafeEqual} from 'node:crypto'

/**
 * AWS Signature Version 4, the verifier's side: the same request is built again and signed with the known secret.
 * Source: docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html.
 */

export const ALGORITHM = 'AWS4-HMAC-SHA256'

/** How far the signer's clock may be off, either way. */
export const MAX_CLOCK_SKEW_MS = 5 * 60 * 1000

/** `AKID/20261120/us-east-1/kafka/aws4_request`, taken apart. */
export type Credential = {accessKeyId: string; date: string; region: string; service: string}

/** Undefined for anything but five non-empty parts that end in `aws4_request`. */
export function parseCredential(text: string): Credential | undefined {
  const [accessKeyId, date, region, service, terminator, ...rest] = text.split('/')
  if (!accessKeyId || !date || !region || !service || terminator !== 'aws4_request' || rest.length > 0) return undefined
  return {accessKeyId, date, region, service}
}

/** Epoch milliseconds of `20261120T101950Z`; undefined for any other form and for days that do not exist. */
export function parseAmzDate(text: string): number | undefined {
  const match = /^(\d{4})(\d{2})(\d{2})T(\d{2})(\d{2})(\d{2})Z$/.exec(text)
  if (!match) return undefined
  const [, year, month, day, hour, minute, second] = match
  const time = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`)
  return Number.isNaN(time) || toAmzDate(time) !== text ? undefined : time
}

/** `20261120T101950Z` for epoch milliseconds. */
export function toAmzDate(time: number): string {
  return new Date(time).toISOString().replace(/[-:]|\.\d{3}/g, '')
}

/** Percent-encodes all but RFC 3986's unreserved characters. */
function uriEncode(text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`)
}

export type Parameter = readonly [name: string, value: string]

/** The decoded parameters of a raw query string, in its order; undefined when the percent-encoding is malformed. */
export function parseQuery(query: string): Parameter[] | undefined {
  try {
    return query
      .split('&')
      .filter((pair) => pair !== '')
      .map((pair) => {
        const at = pair.indexOf('=')
        return at < 0
          ? [decodeURIComponent(pair), '']
          : [decodeURIComponent(pair.slice(0, at)), decodeURIComponent(pair.slice(at + 1))]
      })
  } catch {
    return undefined
  }
}

const byCodeUnit = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0)

export function canonicalQuery(parameters: readonly Parameter[]): string {
  return parameters
    .map(([name, value]): Parameter => [uriEncode(name), uriEncode(value)])
    .sort((a, b) => byCodeUnit(a[0], b[0]) || byCodeUnit(a[1], b[1]))
    .map(([name, value]) => `${name}=${value}`)
    .join('&')
}

/** Every service but S3 signs the path encoded once more, after removing `.`, `..` and empty segments. */
export function canonicalPath(rawPath: string): string {
  const segments: string[] = []
  for (const segment of rawPath.split('/')) {
    if (segment === '..') segments.pop()
    else if (segment !== '' && segment !== '.') segments.push(uriEncode(segment))
  }
  return `/${segments.join('/')}${segments.length > 0 && rawPath.endsWith('/') ? '/' : ''}`
}

export function sha256(bytes: Buffer | string): string {
  return createHash('sha256').update(bytes).digest('hex')
}

export type RequestToSign = {
  method: string
  /** Already canonical. */
  path: string
  /** Already canonical. */
  query: string
  /** Lower-case names in their sorted order, with the values to sign. */
  headers: readonly Parameter[]
  payloadHash: string
}

/** The signature, 64 hexadecimal digits, that the owner of `secretAccessKey` gives to this request at `amzDate`. */
export function sign(request: RequestToSign, secretAccessKey: string, credential: Credential, amzDate: string): string {
  const canonicalRequest = [
    request.method,
    request.path,
    request.query,
    ...request.headers.map(([name, value]) => `${name}:${value.trim().replace(/ +/g, ' ')}`),
    '',
    request.headers.map(([name]) => name).join(';'),
    request.payloadHash,
  ].join('\n')
  const {date, region, service} = credential
  const stringToSign = [ALGORITHM, amzDate, `${date}/${region}/${service}/aws4_request`, sha256(canonicalRequest)].join('\n')
  return hmac(signingKey(secretAccessKey, credential), stringToSign).toString('hex')
}

function signingKey(secretAccessKey: string, {date, region, service}: Credential): Buffer {
  return [date, region, service, 'aws4_request'].reduce<Buffer>(hmac, Buffer.from(`AWS4${secretAccessKey}`))
}

function hmac(key: Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest()
}

/** Compares in a time that tells nothing about where, or in which length, they differ. */
export function equalInConstantTime(expected: string, given: string): boolean {
  return timingSafeEqual(createHash('sha256').update(expected).digest(), createHash('sha256').update(given).digest())
}

import type {Identities} from '../iam-file.js'
import type {Principal} from '../kafka/authorize.js'
import {AwsError} from './error.js'
import {
  ALGORITHM,
  type Credential,
  canonicalPath,
  canonicalQuery,
  equalInConstantTime,
  MAX_CLOCK_SKEW_MS,
  type Parameter,
  parseAmzDate,
  parseCredential,
  parseQuery,
  sha256,
  sign,
  toAmzDate,
} from './sigv4.js'

export type SignedRequest = {
  method: string
  /** As in the request line. */
  rawPath: string
  rawQuery: string
  /** In the order received, as Node's `rawHeaders` paired up. */
  headers: readonly Parameter[]
  body: Buffer
}

export type Verification = {
  identities: Identities
  region: string
  /** Of the credential scope: `kafka` or `lambda`. */
  service: string
  /** Epoch milliseconds. */
  now: number
}

/**
 * Who signed this request. Only the `Authorization` header counts: a presigned URL could come from a page in a browser.
 *
 * @throws AwsError as AWS answers what is unsigned or wrongly signed (Common Errors of the AWS API references)
 */
export function authenticateRequest(request: SignedRequest, {identities, region, service, now}: Verification): Principal {
  const headers = mergeHeaders(request.headers)
  const {credential, signedHeaders, signature} = parseAuthorization(headers.get('authorization'))
  checkScope(credential, region, service)
  const amzDate = checkTime(headers.get('x-amz-date'), credential, now)
  checkSignedHeaders(signedHeaders, headers)

  const identity = identities.find(credential.accessKeyId)
  const sessionToken = headers.get('x-amz-security-token') ?? ''
  if (!identity || !equalInConstantTime(identity.sessionToken ?? '', sessionToken)) {
    throw new AwsError(403, 'UnrecognizedClientException', 'The security token included in the request is invalid.')
  }
  const payloadHash = sha256(request.body)
  const query = parseQuery(request.rawQuery)
  if (!query) throw new AwsError(400, 'BadRequestException', 'The query string is not well formed.')
  const toSign = {
    method: request.method,
    path: canonicalPath(request.rawPath),
    query: canonicalQuery(query),
    headers: signedHeaders.map((name): Parameter => [name, headers.get(name)!]),
    payloadHash,
  }
  const announcedHash = headers.get('x-amz-content-sha256') ?? payloadHash
  const expected = sign(toSign, identity.secretAccessKey, credential, amzDate)
  if (announcedHash !== payloadHash || !equalInConstantTime(expected, signature)) {
    throw invalidSignature(
      'The request signature we calculated does not match the signature you provided. ' +
        'Check your AWS Secret Access Key and signing method. Consult the service documentation for details.',
    )
  }
  return identity.principal
}

const invalidSignature = (message: string) => new AwsError(403, 'InvalidSignatureException', message)

/** Lower-case names; the values of a repeated header joined by commas, as they are signed. */
function mergeHeaders(headers: readonly Parameter[]): Map<string, string> {
  const merged = new Map<string, string>()
  for (const [name, value] of headers) {
    const key = name.toLowerCase()
    const before = merged.get(key)
    merged.set(key, before === undefined ? value.trim() : `${before},${value.trim()}`)
  }
  return merged
}

type Authorization = {credential: Credential; signedHeaders: string[]; signature: string}

function parseAuthorization(header: string | undefined): Authorization {
  if (header === undefined) throw new AwsError(403, 'MissingAuthenticationTokenException', 'Missing Authentication Token')
  const incomplete = (problem: string) => new AwsError(403, 'IncompleteSignatureException', `Authorization header ${problem}.`)
  if (!header.startsWith(`${ALGORITHM} `)) throw incomplete(`requires the algorithm ${ALGORITHM}`)
  const parts = new Map<string, string>()
  for (const part of header.slice(ALGORITHM.length + 1).split(',')) {
    const [, name, value] = /^\s*(Credential|SignedHeaders|Signature)=(\S+)\s*$/.exec(part) ?? []
    if (name === undefined || value === undefined || parts.has(name)) throw incomplete('is malformed')
    parts.set(name, value)
  }
  const credential = parseCredential(parts.get('Credential') ?? '')
  const signedHeaders = parts.get('SignedHeaders')?.split(';')
  const signature = parts.get('Signature')
  if (!credential) throw incomplete("requires 'Credential' parameter")
  if (!signedHeaders) throw incomplete("requires 'SignedHeaders' parameter")
  if (!signature) throw incomplete("requires 'Signature' parameter")
  return {credential, signedHeaders, signature}
}

function checkScope(credential: Credential, region: string, service: string): void {
  if (credential.region !== region) throw invalidSignature(`Credential should be scoped to a valid region: '${region}'.`)
  if (credential.service !== service) throw invalidSignature(`Credential should be scoped to correct service: '${service}'.`)
}

function checkTime(amzDate: string | undefined, credential: Credential, now: number): string {
  const time = parseAmzDate(amzDate ?? '')
  if (amzDate === undefined || time === undefined) throw invalidSignature('x-amz-date is missing or not like 20261120T101950Z.')
  if (!amzDate.startsWith(`${credential.date}T`)) {
    throw invalidSignature(
      `Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '${amzDate}'.`,
    )
  }
  const [earliest, latest] = [now - MAX_CLOCK_SKEW_MS, now + MAX_CLOCK_SKEW_MS]
  if (time < earliest) {
    throw invalidSignature(
      `Signature expired: ${amzDate} is now earlier than ${toAmzDate(earliest)} (${toAmzDate(now)} - 5 min.)`,
    )
  }
  if (time > latest) {
    throw invalidSignature(
      `Signature not yet current: ${amzDate} is still later than ${toAmzDate(latest)} (${toAmzDate(now)} + 5 min.)`,
    )
  }
  return amzDate
}

/** `host` and whatever changes the meaning of the request must be under the signature. */
function checkSignedHeaders(signedHeaders: readonly string[], headers: ReadonlyMap<string, string>): void {
  const sorted = [...new Set(signedHeaders)].sort()
  if (sorted.join(';') !== signedHeaders.join(';')) throw invalidSignature('SignedHeaders is not sorted.')
  const absent = signedHeaders.find((name) => !headers.has(name))
  if (absent !== undefined) throw invalidSignature(`The signed header '${absent.slice(0, 80)}' is missing.`)
  const unsigned = [...headers.keys()].find(
    (name) => (name === 'host' || name.startsWith('x-amz-')) && !signedHeaders.includes(name),
  )
  if (unsigned !== undefined) throw invalidSignature(`'${unsigned.slice(0, 80)}' must be a signed header.`)
}

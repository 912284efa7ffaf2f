import {randomUUID} from 'node:crypto'
import {
  ALGORITHM,
  canonicalQuery,
  equalInConstantTime,
  MAX_CLOCK_SKEW_MS,
  type Parameter,
  parseAmzDate,
  parseCredential,
  parseQuery,
  sha256,
  sign,
} from '../aws/sigv4.js'
import type {Identities} from '../iam-file.js'
import type {Principal} from './authorize.js'

export type Mechanism = 'OAUTHBEARER' | 'AWS_MSK_IAM'

export type Session = {
  principal: Principal
  /** Epoch milliseconds. Past it the connection must have re-authenticated, or is closed. */
  expiresAt: number
  /** What SaslAuthenticate answers. */
  replyBytes: Buffer
}

export type AuthenticateOptions = {
  identities: Identities
  region: string
  /** The names under which a client may have reached this listener, for AWS_MSK_IAM: it signs the name it connected to. */
  hostNames: readonly string[]
  /** Epoch milliseconds. */
  now: number
}

/** The texts that MSK answers with. */
type SaslRefusal =
  | 'Access denied'
  | 'Cannot change principals during re-authentication'
  | 'Hostname verification failed'
  | 'Session too short'

/**
 * `message` is for the client and says as little as MSK does: `[<uuid>]: Access denied`.
 * `reason` is for the log of the stack; it holds neither token nor signature nor secret.
 */
export class AuthenticationError extends Error {
  override readonly name = 'AuthenticationError'
  readonly reason: string

  constructor(answer: SaslRefusal, reason: string) {
    super(`[${randomUUID()}]: ${answer}`)
    this.reason = reason
  }
}

/** A token with a long session token is about 4 KiB; what is longer is refused unread. */
const MAX_TOKEN_BYTES = 32 * 1024

const MAX_EXPIRES_SECONDS = 900

/** Sessions as short as one second were seen on MSK (twmb/franz-go#136), `Session too short` below two (#731). */
const MIN_SESSION_MS = 1000

const ACTION = 'kafka-cluster:Connect'
const SERVICE = 'kafka-cluster'
const PAYLOAD_VERSION = '2020_10_22'

/**
 * Checks the client's first (and only) message of either SASL mechanism of MSK: a presigned `kafka-cluster:Connect`
 * request, whose signature is computed again from the secret of the access key that it names.
 * That the principal may `Connect` to this cluster is the caller's question.
 *
 * @throws AuthenticationError for whatever is wrong with `token`
 */
export function authenticate(mechanism: Mechanism, token: Buffer, options: AuthenticateOptions): Session {
  if (token.length > MAX_TOKEN_BYTES) throw denied(`the token has ${token.length} bytes, more than ${MAX_TOKEN_BYTES}`)
  return mechanism === 'OAUTHBEARER' ? authenticateBearer(token, options) : authenticatePayload(token, options)
}

const denied = (reason: string) => new AuthenticationError('Access denied', reason)

function authenticateBearer(bytes: Buffer, options: AuthenticateOptions): Session {
  const {token, authorizationId} = parseBearerMessage(decodeUtf8(bytes))
  const session = verify(parsePresignedUrl(decodeToken(token), options.region), options)
  if (authorizationId !== '' && authorizationId !== session.principal.arn) {
    throw denied('the authorization id is not that of the token')
  }
  return {...session, replyBytes: Buffer.alloc(0)}
}

/** RFC 7628 §3.1 with Kafka's KIP-342 extensions, which are accepted and ignored. */
function parseBearerMessage(text: string): {token: string; authorizationId: string} {
  const match = /^n,(?:a=([^,\x01]*))?,\x01((?:[A-Za-z]+=[\x09\x0a\x0d\x20-\x7e]*\x01)+)\x01$/.exec(text)
  if (!match) throw denied('not an OAUTHBEARER message')
  const pairs = new Map<string, string>()
  for (const pair of match[2]!.split('\x01').slice(0, -1)) {
    const key = pair.slice(0, pair.indexOf('='))
    if (pairs.has(key)) throw denied('an OAUTHBEARER key stands twice')
    pairs.set(key, pair.slice(key.length + 1))
  }
  const token = /^Bearer +([^ ]+)$/i.exec(pairs.get('auth') ?? '')?.[1]
  if (token === undefined) throw denied('the OAUTHBEARER message has no bearer token')
  return {token, authorizationId: (match[1] ?? '').replace(/=2C/g, ',').replace(/=3D/g, '=')}
}

/** Base64url with or without padding, as the signers of the different languages make it. */
function decodeToken(token: string): string {
  const digits = token.replace(/={0,2}$/, '')
  const bytes = Buffer.from(digits, 'base64url')
  if (bytes.toString('base64url') !== digits) throw denied('the token is not base64url')
  return decodeUtf8(bytes)
}

function decodeUtf8(bytes: Buffer): string {
  try {
    return new TextDecoder('utf-8', {fatal: true, ignoreBOM: true}).decode(bytes)
  } catch {
    throw denied('not UTF-8')
  }
}

/** What both mechanisms say, under the names that the signed query uses. */
type SignedConnect = {host: string; parameters: ReadonlyMap<string, string>}

const SIGNED_PARAMETERS = [
  'Action',
  'X-Amz-Algorithm',
  'X-Amz-Credential',
  'X-Amz-Date',
  'X-Amz-Expires',
  'X-Amz-Security-Token',
  'X-Amz-SignedHeaders',
]

function parsePresignedUrl(url: string, region: string): SignedConnect {
  const match = /^https:\/\/([^/?#\s]*)\/\?([\x21-\x22\x24-\x7e]*)$/.exec(url)
  const query = match && parseQuery(match[2]!)
  if (!match || !query) throw denied('the token is not a presigned URL')
  const host = match[1]!
  const expected = `kafka.${region}.amazonaws.com`
  if (host !== expected) {
    throw new AuthenticationError('Hostname verification failed', `the token is for ${quote(host)}, not for ${expected}`)
  }
  // The signers append User-Agent after signing.
  return {host, parameters: uniqueParameters(query.filter(([name]) => name !== 'User-Agent'))}
}

function uniqueParameters(query: readonly Parameter[]): Map<string, string> {
  const parameters = new Map<string, string>()
  for (const [name, value] of query) {
    if (name !== 'X-Amz-Signature' && !SIGNED_PARAMETERS.includes(name)) throw denied(`unknown parameter ${quote(name)}`)
    if (parameters.has(name)) throw denied(`${name} stands twice`)
    parameters.set(name, value)
  }
  return parameters
}

function authenticatePayload(bytes: Buffer, options: AuthenticateOptions): Session {
  const payload = parsePayload(decodeUtf8(bytes))
  if (payload.get('version') !== PAYLOAD_VERSION) throw denied(`the payload's version is not ${PAYLOAD_VERSION}`)
  const host = payload.get('host') ?? ''
  if (!options.hostNames.some((name) => name.toLowerCase() === host.toLowerCase())) {
    throw new AuthenticationError(
      'Hostname verification failed',
      `the payload is for ${quote(host)}, not for ${options.hostNames.join(', ')}`,
    )
  }
  const parameters = new Map<string, string>()
  for (const name of ['X-Amz-Signature', ...SIGNED_PARAMETERS]) {
    const value = payload.get(name.toLowerCase())
    if (value !== undefined) parameters.set(name, value)
  }
  // Optional in the payload, always part of what is signed (aws-msk-iam-auth).
  if (!parameters.has('Action')) parameters.set('Action', ACTION)
  const session = verify({host, parameters}, options)
  return {...session, replyBytes: Buffer.from(JSON.stringify({version: PAYLOAD_VERSION, 'request-id': randomUUID()}))}
}

const PAYLOAD_KEYS = ['version', 'host', 'user-agent', 'x-amz-signature', ...SIGNED_PARAMETERS.map((name) => name.toLowerCase())]

function parsePayload(text: string): Map<string, string> {
  const value = parseJson(text)
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw denied('the payload is not a JSON object')
  const payload = new Map<string, string>()
  for (const [key, member] of Object.entries(value)) {
    if (!PAYLOAD_KEYS.includes(key)) throw denied(`unknown key ${quote(key)} in the payload`)
    if (typeof member !== 'string') throw denied(`${key} is not a string`)
    payload.set(key, member)
  }
  return payload
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw denied('the payload is not JSON')
  }
}

/** Everything that AWS checks in a presigned request; the signature last, so that a log tells the plain mistakes. */
function verify(signed: SignedConnect, {identities, region, now}: AuthenticateOptions): Omit<Session, 'replyBytes'> {
  const {host, parameters} = signed
  const required = (name: string) => {
    const value = parameters.get(name)
    if (value === undefined) throw denied(`${name} is missing`)
    return value
  }
  if (required('Action') !== ACTION) throw denied(`the action is not ${ACTION}`)
  if (required('X-Amz-Algorithm') !== ALGORITHM) throw denied(`the algorithm is not ${ALGORITHM}`)
  if (required('X-Amz-SignedHeaders') !== 'host') throw denied('the signed headers are not exactly "host"')
  const signature = required('X-Amz-Signature')
  const credential = parseCredential(required('X-Amz-Credential'))
  if (!credential) throw denied('malformed X-Amz-Credential')
  const {accessKeyId} = credential
  if (credential.service !== SERVICE)
    throw denied(`the credential scope names the service ${quote(credential.service)}, not ${SERVICE}`)
  if (credential.region !== region)
    throw denied(`the credential scope names the region ${quote(credential.region)}, not ${region}`)
  const amzDate = required('X-Amz-Date')
  const expiresAt = checkTime(amzDate, required('X-Amz-Expires'), now)
  if (!amzDate.startsWith(`${credential.date}T`)) throw denied('the credential scope is of another day than X-Amz-Date')

  const identity = identities.find(accessKeyId)
  if (!identity) throw denied(`unknown access key ${quote(accessKeyId)}`)
  if (!equalInConstantTime(identity.sessionToken ?? '', parameters.get('X-Amz-Security-Token') ?? '')) {
    throw denied(`the session token is not that of access key ${quote(accessKeyId)}`)
  }
  const query = canonicalQuery([...parameters].filter(([name]) => name !== 'X-Amz-Signature'))
  const request = {method: 'GET', path: '/', query, headers: [['host', host]] as const, payloadHash: sha256('')}
  if (!equalInConstantTime(sign(request, identity.secretAccessKey, credential, amzDate), signature)) {
    throw denied(`wrong signature for access key ${quote(accessKeyId)}: its secret is another one`)
  }
  return {principal: identity.principal, expiresAt}
}

/** Epoch milliseconds at which the token ends. */
function checkTime(amzDate: string, expires: string, now: number): number {
  const signedAt = parseAmzDate(amzDate)
  if (signedAt === undefined) throw denied('malformed X-Amz-Date')
  if (!/^[1-9]\d{0,2}$/.test(expires) || Number(expires) > MAX_EXPIRES_SECONDS) {
    throw denied(`X-Amz-Expires is not an integer from 1 to ${MAX_EXPIRES_SECONDS}`)
  }
  if (signedAt > now + MAX_CLOCK_SKEW_MS) throw denied(`signed ${Math.round((signedAt - now) / 1000)} s in the future`)
  const expiresAt = signedAt + Number(expires) * 1000
  if (expiresAt <= now) throw denied(`expired ${Math.round((now - expiresAt) / 1000)} s ago`)
  if (expiresAt < now + MIN_SESSION_MS)
    throw new AuthenticationError('Session too short', `${expiresAt - now} ms are left of the token`)
  return expiresAt
}

/** Foreign text for a log: short, and without a character that a terminal would obey. */
function quote(text: string): string {
  return JSON.stringify(text.slice(0, 80).replace(/[^\x20-\x7e]/g, '?'))
}

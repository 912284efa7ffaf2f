import {createHash, createHmac} from 'node:crypto'
import {SignatureV4} from '@smithy/signature-v4'
import {loadIdentities} from '../../src/lib/local/iam-file.js'
import {AuthenticationError, authenticate, type Mechanism} from '../../src/lib/local/kafka/sasl.js'

/** Tokens of both SASL mechanisms, made with AWS's own signer, and who is known to the verifier. */

export type Credentials = {accessKeyId: string; secretAccessKey: string; sessionToken?: string; expiration?: Date}

export const REGION = 'us-east-1'
export const SERVICE_HOST = `kafka.${REGION}.amazonaws.com`
export const ROOT: Credentials = {accessKeyId: 'test', secretAccessKey: 'test'}
export const TEMPORARY: Credentials = {accessKeyId: 'TEMP', secretAccessKey: 'temp-secret', sessionToken: 'TOK+/=='}

const known = await loadIdentities(undefined)
const temporary = {
  ...TEMPORARY,
  name: 'temp',
  principal: {arn: 'arn:aws:iam::123456789012:user/temp', accessKeyId: 'TEMP', allows: () => false},
}
const identities = {...known, find: (id: string) => (id === 'TEMP' ? (temporary as never) : known.find(id))}

export const NOW = Date.parse('2026-11-21T10:00:00Z')
export const options = {identities, region: REGION, hostNames: ['127.0.0.1', 'localhost', '::1'], now: NOW}

/** What the signer of AWS wants of a hash, on top of Node's. */
export class Sha256 {
  private readonly hash
  constructor(secret?: any) {
    this.hash = secret === undefined ? createHash('sha256') : createHmac('sha256', secret)
  }
  update(data: any): void {
    this.hash.update(data)
  }
  async digest(): Promise<Uint8Array> {
    return this.hash.digest()
  }
  reset(): void {}
}

export type Presign = {
  host?: string
  path?: string
  query?: Record<string, string>
  region?: string
  service?: string
  expiresIn?: number
  signedAt?: number
  headers?: Record<string, string>
  method?: string
}

/** The query of a Connect request, signed by AWS's own signer. */
export async function presign(
  credentials: Credentials,
  {host = SERVICE_HOST, ...over}: Presign = {},
): Promise<Record<string, string>> {
  const {region = REGION, service = 'kafka-cluster', expiresIn = 900, signedAt = NOW} = over
  const signer = new SignatureV4({service, region, credentials, sha256: Sha256 as never, applyChecksum: false})
  const request = {
    method: over.method ?? 'GET',
    protocol: 'https:',
    hostname: host,
    path: over.path ?? '/',
    headers: {host, ...over.headers},
    query: over.query ?? {Action: 'kafka-cluster:Connect'},
  }
  return (await signer.presign(request, {expiresIn, signingDate: new Date(signedAt)})).query as Record<string, string>
}

export const formatQuery = (query: Record<string, string>) =>
  Object.entries(query)
    .map(([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`)
    .join('&')
export const bearer = (token: string) => Buffer.from(`n,,\x01auth=Bearer ${token}\x01\x01`)
export const bearerUrl = (url: string) => bearer(Buffer.from(url).toString('base64url'))
export const bearerQuery = (query: Record<string, string>, host = SERVICE_HOST) =>
  bearerUrl(`https://${host}/?${formatQuery(query)}`)

export async function bearerToken(over: Presign = {}, credentials = ROOT): Promise<Buffer> {
  return bearerQuery(await presign(credentials, over))
}

/** As the Java library sends it: lower-case keys, values not encoded. */
export async function payload(over: Presign = {}, credentials = ROOT, host = 'localhost'): Promise<Record<string, string>> {
  const query = await presign(credentials, {host, ...over})
  const lowerCased = Object.entries(query).map(([name, value]) => [name.toLowerCase(), value])
  return {version: '2020_10_22', host, 'user-agent': 'aws-msk-iam-auth/2.3.6', ...Object.fromEntries(lowerCased)}
}

export const json = (value: unknown) => Buffer.from(JSON.stringify(value))

export function refusal(mechanism: Mechanism, token: Buffer, over: Partial<typeof options> = {}): AuthenticationError {
  try {
    authenticate(mechanism, token, {...options, ...over})
  } catch (error) {
    if (error instanceof AuthenticationError) return error
    throw error
  }
  throw new Error('was accepted')
}

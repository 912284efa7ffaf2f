import {isIP} from 'node:net'

import {SkkError} from '../errors.js'
import type {Credentials, KafkaTarget} from './target.js'

/** The longest that MSK accepts. */
const TOKEN_SECONDS = 900

/** A session that ends within a minute would re-authenticate all the time. */
const SHORTEST_SECONDS = 60

/** What kafkajs hands to `sasl.authenticationProvider`. */
type Connection = {host: string; saslAuthenticate(exchange: {request: {encode(): Promise<Buffer>}}): Promise<unknown>}

/**
 * kafkajs' `sasl` option for MSK's IAM authentication: SASL/OAUTHBEARER with a token signed for this connection. It is asked
 * for again on every connection and before a session ends, and never hands out a token twice.
 * Source of the format: aws.md §3.3; of the refusals: rules.md "Contexts and secrets".
 */
export function iamSasl(target: KafkaTarget): {
  mechanism: string
  authenticationProvider: (connection: Connection) => {authenticate(): Promise<void>}
} {
  return {
    mechanism: 'OAUTHBEARER',
    authenticationProvider: ({host, saslAuthenticate}) => ({
      async authenticate() {
        const token = await tokenFor(host, target).catch((error) => {
          throw Object.assign(error, {retriable: false})
        })
        await saslAuthenticate({request: {encode: async () => lengthPrefixed(bearerMessage(token))}})
      },
    }),
  }
}

/** What OAUTHBEARER sends for a token (RFC 7628, section 3.1). */
export const bearerMessage = (token: string): Buffer => Buffer.from(`n,,\x01auth=Bearer ${token}\x01\x01`)

/**
 * A token for one connection to `host`. Throws SkkError: usage when the token could be read or replayed by somebody else
 * (it is good for every cluster of that identity for 15 minutes), denied when the credentials are about to end.
 */
export async function tokenFor(host: string, target: KafkaTarget): Promise<string> {
  const {region} = target
  if (!region) {
    throw new SkkError('no region to sign for', {
      code: 'REGION_MISSING',
      exit: 'usage',
      hint: 'Give `--region`, or set AWS_REGION.',
    })
  }
  const credentials = await target.credentials()
  if (!target.tls) refuseUnlessHarmless(host, target.via, credentials)
  return sign(region, credentials)
}

/** Behind a tunnel a loopback address is that of another machine. */
function refuseUnlessHarmless(host: string, via: string | undefined, {accessKeyId}: Credentials): void {
  const real = /^(AKIA|ASIA)/.test(accessKeyId)
  const near = isLoopback(host) && via === undefined
  if (near && !real) return
  const why = near
    ? 'the access key looks like a real one, and whoever listens there could use its token on AWS for 15 minutes'
    : `whoever is between here and "${host}" could use it for 15 minutes`
  throw new SkkError(`an IAM token goes only over TLS: ${why}`, {
    code: 'INSECURE_IAM',
    exit: 'usage',
    hint: 'Use `--tls`, or `--auth none` if the cluster needs no authentication.',
  })
}

export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'))
}

async function sign(region: string, credentials: Credentials): Promise<string> {
  const secondsLeft = Math.floor(((credentials.expiration?.getTime() ?? Number.POSITIVE_INFINITY) - Date.now()) / 1000)
  if (secondsLeft < SHORTEST_SECONDS) {
    throw new SkkError(`the AWS credentials ${secondsLeft < 0 ? 'have expired' : `expire in ${secondsLeft} s`}`, {
      code: 'CREDENTIALS_EXPIRED',
      exit: 'denied',
      hint: 'Renew them, for example with `aws sso login`, and run the command again.',
    })
  }
  const {accessKeyId, secretAccessKey, sessionToken} = credentials
  const lasting = {accessKeyId, secretAccessKey, ...(sessionToken && {sessionToken})}
  const {generateAuthTokenFromCredentialsProvider} = await import('aws-msk-iam-sasl-signer-js')
  const signFor = async (expiring: Credentials) =>
    (await generateAuthTokenFromCredentialsProvider({region, awsCredentialsProvider: async () => expiring})).token
  if (secondsLeft >= TOKEN_SECONDS) return signFor(lasting)

  // The signer subtracts its clock from the expiry and does not round: X-Amz-Expires=123.456 (aws.md §0.4). A date that is
  // always a whole number of seconds ahead makes it whole, unless the clock ticks between its two looks.
  for (;;) {
    const token = await signFor({...lasting, expiration: new SecondsAhead(secondsLeft)})
    if (/X-Amz-Expires=\d+(&|$)/.test(Buffer.from(token, 'base64url').toString())) return token
  }
}

class SecondsAhead extends Date {
  private readonly seconds: number

  constructor(seconds: number) {
    super(Date.now() + seconds * 1000)
    this.seconds = seconds
  }

  override getTime(): number {
    return Date.now() + this.seconds * 1000
  }
}

function lengthPrefixed(message: Buffer): Buffer {
  const length = Buffer.allocUnsafe(4)
  length.writeInt32BE(message.length)
  return Buffer.concat([length, message])
}

import {generateAuthTokenFromCredentialsProvider} from 'aws-msk-iam-sasl-signer-js'
import {describe, expect, it} from 'vitest'
import {authenticate} from '../../../../src/lib/local/kafka/sasl.js'
import {
  bearer,
  bearerQuery,
  bearerToken,
  formatQuery,
  json,
  NOW,
  options,
  payload,
  presign,
  REGION,
  ROOT,
  refusal,
  SERVICE_HOST,
  TEMPORARY,
} from '../../../support/msk-token.js'

describe('OAUTHBEARER', () => {
  it.each([ROOT, TEMPORARY])('accepts a token of the published signer for $accessKeyId', async (credentials) => {
    const {token, expiryTime} = await generateAuthTokenFromCredentialsProvider({
      region: REGION,
      awsCredentialsProvider: async () => credentials,
    })

    const session = authenticate('OAUTHBEARER', bearer(token), {...options, now: Date.now()})

    expect(session.principal.accessKeyId).toBe(credentials.accessKeyId)
    expect(session.expiresAt).toBe(expiryTime)
    expect(session.replyBytes).toHaveLength(0)
  })

  it('refuses the fractional expiry that the signer makes of credentials about to end', async () => {
    const {token} = await generateAuthTokenFromCredentialsProvider({
      region: REGION,
      awsCredentialsProvider: async () => ({...ROOT, expiration: new Date(Date.now() + 123_456)}),
    })

    expect(refusal('OAUTHBEARER', bearer(token), {now: Date.now()}).reason).toContain('X-Amz-Expires is not an integer')
  })

  it('gives a session what is left of the token', async () => {
    const session = authenticate('OAUTHBEARER', await bearerToken({signedAt: NOW - 100_000, expiresIn: 300}), options)

    expect(session.expiresAt - NOW).toBe(200_000)
    expect(session.principal.arn).toBe('arn:aws:iam::123456789012:user/test')
  })

  it.each([
    ['padding', (token: string) => bearer(`${token}${'='.repeat((4 - (token.length % 4)) % 4)}`)],
    ['extensions', (token: string) => Buffer.from(`n,,\x01auth=Bearer ${token}\x01logicalCluster=lkc-1\x01\x01`)],
    [
      'the principal as authorization id',
      (token: string) => Buffer.from(`n,a=arn:aws:iam::123456789012:user/test,\x01auth=Bearer ${token}\x01\x01`),
    ],
    ['a lower-case scheme', (token: string) => Buffer.from(`n,,\x01auth=bearer ${token}\x01\x01`)],
  ])('accepts %s', async (_, message) => {
    const url = `https://${SERVICE_HOST}/?${formatQuery(await presign(ROOT))}`

    expect(authenticate('OAUTHBEARER', message(Buffer.from(url).toString('base64url')), options).principal.accessKeyId).toBe(
      'test',
    )
  })

  it.each(['first', 'last'])('ignores a User-Agent that stands %s', async (where) => {
    const query = await presign(ROOT)
    const agent = {'User-Agent': 'aws-msk-iam-sasl-signer-python/1.0.2 (a & b)'}

    const token = bearerQuery(where === 'first' ? {...agent, ...query} : {...query, ...agent})

    expect(authenticate('OAUTHBEARER', token, options).principal.accessKeyId).toBe('test')
  })

  it('accepts a clock that is less than five minutes ahead', async () => {
    expect(authenticate('OAUTHBEARER', await bearerToken({signedAt: NOW + 299_000}), options).expiresAt).toBe(NOW + 1_199_000)
  })
})

describe('AWS_MSK_IAM', () => {
  it.each([ROOT, TEMPORARY])('accepts what the Java library sends for $accessKeyId', async (credentials) => {
    const session = authenticate('AWS_MSK_IAM', json(await payload({}, credentials)), options)

    expect(session.principal.accessKeyId).toBe(credentials.accessKeyId)
    expect(session.expiresAt).toBe(NOW + 900_000)
    expect(JSON.parse(session.replyBytes.toString())).toEqual({
      version: '2020_10_22',
      'request-id': expect.stringMatching(/^[0-9a-f-]{36}$/),
    })
  })

  it.each(['127.0.0.1', 'LOCALHOST', '::1'])('accepts the listener under the name %s', async (host) => {
    expect(authenticate('AWS_MSK_IAM', json(await payload({}, ROOT, host)), options).principal.accessKeyId).toBe('test')
  })

  it('accepts a payload without the optional action, in any order of keys', async () => {
    const {action: _, ...rest} = await payload()

    const reversed = Object.fromEntries(Object.entries(rest).reverse())

    expect(authenticate('AWS_MSK_IAM', json(reversed), options).principal.accessKeyId).toBe('test')
  })

  it.each(['boot-x.c1.kafka-serverless.us-east-1.amazonaws.com', SERVICE_HOST, '', 'localhost:9098'])(
    'refuses the host "%s"',
    async (host) => {
      const error = refusal('AWS_MSK_IAM', json({...(await payload()), host}))

      expect(error.message).toMatch(/^\[[0-9a-f-]{36}\]: Hostname verification failed$/)
    },
  )
})

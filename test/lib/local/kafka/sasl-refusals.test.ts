import fc from 'fast-check'
import {describe, expect, it} from 'vitest'
import {AuthenticationError} from '../../../../src/lib/local/kafka/sasl.js'
import {
  bearer,
  bearerQuery,
  bearerToken,
  bearerUrl,
  formatQuery,
  json,
  NOW,
  payload,
  presign,
  ROOT,
  refusal,
  SERVICE_HOST,
  TEMPORARY,
} from '../../../support/msk-token.js'

const signed = await presign(ROOT)
const without = (name: string) => Object.fromEntries(Object.entries(signed).filter(([key]) => key !== name))
const url = `https://${SERVICE_HOST}/?${formatQuery(signed)}`
const flipped = signed['X-Amz-Signature']!.replace(/^./, (digit) => (digit === '0' ? '1' : '0'))

const badTokens: [name: string, token: Buffer, reason: string | RegExp][] = [
  ['nothing', Buffer.alloc(0), 'not an OAUTHBEARER message'],
  ['zero bytes', Buffer.alloc(100), 'not an OAUTHBEARER message'],
  ['bytes that are not UTF-8', Buffer.from([0x6e, 0x2c, 0x2c, 0x01, 0xff, 0xfe, 0x01, 0x01]), 'not UTF-8'],
  ['a message without end', Buffer.from('n,,\x01auth=Bearer abc\x01'), 'not an OAUTHBEARER message'],
  ['channel binding', Buffer.from('p=tls-unique,,\x01auth=Bearer abc\x01\x01'), 'not an OAUTHBEARER message'],
  ['no auth key', Buffer.from('n,,\x01other=Bearer abc\x01\x01'), 'no bearer token'],
  ['two auth keys', Buffer.from('n,,\x01auth=Bearer a\x01auth=Bearer b\x01\x01'), 'stands twice'],
  ['the scheme Basic', Buffer.from('n,,\x01auth=Basic dGVzdDp0ZXN0\x01\x01'), 'no bearer token'],
  ['an empty token', Buffer.from('n,,\x01auth=Bearer \x01\x01'), 'no bearer token'],
  ['a token that is not base64url', bearer('a+b/c!'), 'not base64url'],
  ['a token with one digit too many', bearer(`${Buffer.from(url).toString('base64url')}A`), /not base64url|wrong signature/],
  ['base64 of bytes that are not UTF-8', bearer(Buffer.from([0xc3, 0x28]).toString('base64url')), 'not UTF-8'],
  ['a token of a megabyte', bearer('A'.repeat(1 << 20)), 'more than 32768'],
  ['a JWT', bearer('eyJhbGciOiJub25lIn0.eyJzdWIiOiJhIn0.'), 'not base64url'],
  ['plain http', bearerUrl(url.replace('https:', 'http:')), 'not a presigned URL'],
  ['another path', bearerUrl(url.replace('/?', '/v1/?')), 'not a presigned URL'],
  ['a fragment', bearerUrl(`${url}#a`), 'not a presigned URL'],
  ['malformed percent-encoding', bearerUrl(`${url}&a=%zz`), 'not a presigned URL'],
  ['a line feed in the URL', bearerUrl(`${url}\n`), 'not a presigned URL'],
  ['a non-ASCII URL', bearerUrl(`${url}&User-Agent=ü`), 'not a presigned URL'],
  ['another host', bearerQuery(signed, 'sts.us-east-1.amazonaws.com'), 'the token is for "sts.us-east-1.amazonaws.com"'],
  ['user and password before the host', bearerQuery(signed, `${SERVICE_HOST}@evil.example`), 'the token is for'],
  ['a port', bearerQuery(signed, `${SERVICE_HOST}:443`), 'the token is for'],
  [
    'another region in the host',
    await bearerToken({host: 'kafka.eu-west-1.amazonaws.com'}).then(() => bearerQuery(signed, 'kafka.eu-west-1.amazonaws.com')),
    'not for kafka.us-east-1',
  ],
  ['another region in the scope', await bearerToken({region: 'eu-west-1'}), 'names the region "eu-west-1"'],
  ['another service', await bearerToken({service: 'kafka'}), 'names the service "kafka"'],
  ['no action', bearerQuery(without('Action')), 'Action is missing'],
  ['another action', await bearerToken({query: {Action: 'kafka-cluster:*'}}), 'the action is not'],
  ['the action twice', bearerUrl(`${url}&Action=kafka-cluster%3AConnect`), 'Action stands twice'],
  ['a signature twice', bearerUrl(`${url}&X-Amz-Signature=${signed['X-Amz-Signature']}`), 'X-Amz-Signature stands twice'],
  [
    'an unknown parameter, though signed',
    await bearerToken({query: {Action: 'kafka-cluster:Connect', Extra: '1'}}),
    'unknown parameter "Extra"',
  ],
  [
    'a parameter in lower case',
    bearerQuery({...without('X-Amz-Date'), 'x-amz-date': signed['X-Amz-Date']!}),
    'unknown parameter "x-amz-date"',
  ],
  ['no algorithm', bearerQuery(without('X-Amz-Algorithm')), 'X-Amz-Algorithm is missing'],
  ['the algorithm none', bearerQuery({...signed, 'X-Amz-Algorithm': 'none'}), 'the algorithm is not'],
  ['the algorithm of SigV4A', bearerQuery({...signed, 'X-Amz-Algorithm': 'AWS4-ECDSA-P256-SHA256'}), 'the algorithm is not'],
  ['no credential', bearerQuery(without('X-Amz-Credential')), 'X-Amz-Credential is missing'],
  ['a credential of two parts', bearerQuery({...signed, 'X-Amz-Credential': 'test/20261121'}), 'malformed X-Amz-Credential'],
  [
    'a credential of six parts',
    bearerQuery({...signed, 'X-Amz-Credential': `${signed['X-Amz-Credential']}/x`}),
    'malformed X-Amz-Credential',
  ],
  [
    'another day in the scope',
    bearerQuery({...signed, 'X-Amz-Credential': signed['X-Amz-Credential']!.replace('20261121', '20261120')}),
    'another day',
  ],
  ['no date', bearerQuery(without('X-Amz-Date')), 'X-Amz-Date is missing'],
  ['a date that does not exist', bearerQuery({...signed, 'X-Amz-Date': '20261131T100000Z'}), 'malformed X-Amz-Date'],
  ['an ISO date', bearerQuery({...signed, 'X-Amz-Date': '2026-11-21T10:00:00Z'}), 'malformed X-Amz-Date'],
  ['a clock six minutes ahead', await bearerToken({signedAt: NOW + 360_000}), 'signed 360 s in the future'],
  ['an expired token', await bearerToken({signedAt: NOW - 901_000}), 'expired 1 s ago'],
  ['a replay in the next month', await bearerToken({signedAt: NOW - 30 * 86_400_000}), /^expired/],
  ['no expiry', bearerQuery(without('X-Amz-Expires')), 'X-Amz-Expires is missing'],
  ['an expiry of 0', bearerQuery({...signed, 'X-Amz-Expires': '0'}), 'not an integer from 1 to 900'],
  ['a negative expiry', bearerQuery({...signed, 'X-Amz-Expires': '-5'}), 'not an integer from 1 to 900'],
  ['an expiry of 901', await bearerToken({expiresIn: 901}), 'not an integer from 1 to 900'],
  ['a fractional expiry', bearerQuery({...signed, 'X-Amz-Expires': '123.456'}), 'not an integer from 1 to 900'],
  ['an expiry in exponents', bearerQuery({...signed, 'X-Amz-Expires': '9e2'}), 'not an integer from 1 to 900'],
  ['an expiry of NaN', bearerQuery({...signed, 'X-Amz-Expires': 'NaN'}), 'not an integer from 1 to 900'],
  [
    'a longer expiry than was signed',
    bearerQuery({...(await presign(ROOT, {expiresIn: 60})), 'X-Amz-Expires': '900'}),
    'wrong signature',
  ],
  ['more signed headers', await bearerToken({headers: {accept: '*/*'}}), 'the signed headers are not exactly "host"'],
  ['no signed headers', bearerQuery(without('X-Amz-SignedHeaders')), 'X-Amz-SignedHeaders is missing'],
  ['no signature', bearerQuery(without('X-Amz-Signature')), 'X-Amz-Signature is missing'],
  ['an empty signature', bearerQuery({...signed, 'X-Amz-Signature': ''}), 'wrong signature'],
  ['a signature with one other digit', bearerQuery({...signed, 'X-Amz-Signature': flipped}), 'wrong signature'],
  [
    'a signature in upper case',
    bearerQuery({...signed, 'X-Amz-Signature': signed['X-Amz-Signature']!.toUpperCase()}),
    'wrong signature',
  ],
  ['a POST', await bearerToken({method: 'POST'}), 'wrong signature'],
  ['a wrong secret', await bearerToken({}, {...ROOT, secretAccessKey: 'guess'}), 'wrong signature for access key "test"'],
  ['an unknown key', await bearerToken({}, {accessKeyId: 'nobody', secretAccessKey: 'test'}), 'unknown access key "nobody"'],
  [
    'the key __proto__',
    await bearerToken({}, {accessKeyId: '__proto__', secretAccessKey: 'test'}),
    'unknown access key "__proto__"',
  ],
  ['a session token where none belongs', await bearerToken({}, {...ROOT, sessionToken: 'x'}), 'the session token is not that of'],
  [
    'no session token where one belongs',
    await bearerToken({}, {accessKeyId: 'TEMP', secretAccessKey: 'temp-secret'}),
    'the session token is not that of',
  ],
  ['another session token', await bearerToken({}, {...TEMPORARY, sessionToken: 'other'}), 'the session token is not that of'],
  [
    'another authorization id',
    Buffer.from(`n,a=admin,\x01auth=Bearer ${Buffer.from(url).toString('base64url')}\x01\x01`),
    'authorization id',
  ],
  [
    'terminal escapes in the key',
    await bearerToken({}, {accessKeyId: '\x1b]52;c;x\x07', secretAccessKey: 'x'}),
    'unknown access key "?]52;c;x?"',
  ],
]

const good = await payload()
const badPayloads: [name: string, text: string, reason: string][] = [
  ['nothing', '', 'not JSON'],
  ['half a document', JSON.stringify(good).slice(0, 50), 'not JSON'],
  ['a list', '[]', 'not a JSON object'],
  ['null', 'null', 'not a JSON object'],
  ['a string', '"x"', 'not a JSON object'],
  ['a deep document', `${'['.repeat(10_000)}${']'.repeat(10_000)}`, 'not a JSON object'],
  ['an unknown key', JSON.stringify({...good, extra: '1'}), 'unknown key "extra"'],
  ['a __proto__ key', `{"__proto__": ${JSON.stringify(good)}}`, 'unknown key "__proto__"'],
  ['keys of another case', JSON.stringify({...good, Host: 'localhost'}), 'unknown key "Host"'],
  ['a number', JSON.stringify({...good, 'x-amz-expires': 900}), 'x-amz-expires is not a string'],
  ['another version', JSON.stringify({...good, version: '2030_01_01'}), 'version is not 2020_10_22'],
  ['no version', JSON.stringify({...good, version: undefined}), 'version is not 2020_10_22'],
  ['another action', JSON.stringify({...good, action: 'kafka-cluster:DeleteTopic'}), 'the action is not'],
  ['no signature', JSON.stringify({...good, 'x-amz-signature': undefined}), 'X-Amz-Signature is missing'],
  ['no expiry', JSON.stringify({...good, 'x-amz-expires': undefined}), 'X-Amz-Expires is missing'],
  ['the signature of another host', JSON.stringify({...good, host: '127.0.0.1'}), 'wrong signature'],
  ['a wrong secret', JSON.stringify(await payload({}, {...ROOT, secretAccessKey: 'guess'})), 'wrong signature'],
  ['an expired payload', JSON.stringify(await payload({signedAt: NOW - 3_600_000})), 'expired 2700 s ago'],
  ['an OAUTHBEARER message', 'n,,\x01auth=Bearer abc\x01\x01', 'not JSON'],
]

describe('OAUTHBEARER', () => {
  it.each(badTokens)('refuses %s', (_, token, reason) => {
    const error = refusal('OAUTHBEARER', token)

    expect(error.reason).toMatch(reason)
    expect(error.message).toMatch(/^\[[0-9a-f-]{36}\]: (Access denied|Hostname verification failed|Session too short)$/)
  })

  it.each(badTokens)('tells nothing of token or secret when it refuses %s', (_, token) => {
    const {message, reason} = refusal('OAUTHBEARER', token)

    expect(`${message} ${reason}`).not.toContain(signed['X-Amz-Signature'])
    expect(`${message} ${reason}`).not.toContain('TOK+/==')
    expect(`${message} ${reason}`).not.toContain('temp-secret')
    expect(reason.length).toBeLessThan(300)
  })

  it('answers a wrong region and a wrong host as MSK does', async () => {
    expect(refusal('OAUTHBEARER', bearerQuery(signed, 'kafka.eu-west-1.amazonaws.com')).message).toContain(
      'Hostname verification failed',
    )
    expect(refusal('OAUTHBEARER', await bearerToken({}, {...ROOT, secretAccessKey: 'guess'})).message).toContain('Access denied')
  })

  it('calls a session of less than a second too short', async () => {
    const token = await bearerToken({signedAt: NOW})

    expect(refusal('OAUTHBEARER', token, {now: NOW + 899_500}).message).toMatch(/\]: Session too short$/)
  })

  it('refuses every token of which one character was changed', () => {
    const token = Buffer.from(url).toString('base64url')
    fc.assert(
      fc.property(fc.nat(token.length - 1), fc.constantFrom(...'ABCxyz019-_'), (at, char) => {
        fc.pre(token[at] !== char)
        const changed = token.slice(0, at) + char + token.slice(at + 1)
        expect(refusal('OAUTHBEARER', bearer(changed))).toBeInstanceOf(AuthenticationError)
      }),
    )
  })

  it('throws nothing but AuthenticationError, whatever the bytes', () => {
    const pieces = fc.constantFrom(
      'n,,',
      '\x01',
      'auth=',
      'Bearer ',
      '=',
      ',',
      'a=',
      '%',
      'é',
      Buffer.from(url).toString('base64url'),
    )
    fc.assert(
      fc.property(
        fc.oneof(
          fc.uint8Array({maxLength: 200}),
          fc.array(pieces).map((all) => Buffer.from(all.join(''))),
        ),
        (bytes) => {
          fc.pre(!Buffer.from(bytes).equals(bearerUrl(url)))
          expect(refusal('OAUTHBEARER', Buffer.from(bytes))).toBeInstanceOf(AuthenticationError)
        },
      ),
      {numRuns: 2000},
    )
  })
})

describe('AWS_MSK_IAM', () => {
  it.each(badPayloads)('refuses %s', (_, text, reason) => {
    expect(refusal('AWS_MSK_IAM', Buffer.from(text)).reason).toContain(reason)
  })

  it('throws nothing but AuthenticationError, whatever the JSON', () => {
    fc.assert(
      fc.property(fc.json(), fc.constantFrom(...Object.keys(good)), (text, key) => {
        const mixed = {...good, [key]: JSON.parse(text)}
        expect(refusal('AWS_MSK_IAM', Buffer.from(text))).toBeInstanceOf(AuthenticationError)
        fc.pre(key !== 'user-agent')
        expect(refusal('AWS_MSK_IAM', json(mixed))).toBeInstanceOf(AuthenticationError)
      }),
    )
  })
})

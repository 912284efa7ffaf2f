import {expect, it} from 'vitest'

import {redact} from '../../../src/lib/output/redact.js'

const token = Buffer.from(
  'https://kafka.us-east-1.amazonaws.com/?Action=kafka-cluster%3AConnect&X-Amz-Signature=5d41402abc4b2a76',
).toString('base64url')

it.each([
  [
    'a presigned URL',
    'https://h/?X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F1&X-Amz-Signature=5d41402abc4b2a76&a=b',
    ['AKIAIOSFODNN7EXAMPLE', '5d41402abc4b2a76'],
  ],
  ['a header', 'authorization: AWS4-HMAC-SHA256 Credential=x, Signature=5d41402abc4b2a76', ['5d41402abc4b2a76', 'AWS4-HMAC']],
  ['a header in JSON', '{"Authorization":"Basic dXNlcjpwYXNz"}', ['dXNlcjpwYXNz']],
  [
    'keys in JSON',
    '{"accessKeyId":"ASIAIOSFODNN7EXAMPLE","secretAccessKey":"wJalrXUtnFEMI/K7MDENG","sessionToken":"FwoGZXIvYXdzEBY"}',
    ['ASIAIOSFODNN7EXAMPLE', 'wJalrXUtnFEMI', 'FwoGZXIvYXdzEBY'],
  ],
  ['variables', 'AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI AWS_SESSION_TOKEN=FwoGZXIvYXdzEBY', ['wJalrXUtnFEMI', 'FwoGZXIvYXdzEBY']],
  ['a security token header', 'x-amz-security-token: FwoGZXIvYXdzEBY', ['FwoGZXIvYXdzEBY']],
  ['a bearer token', `n,,\x01auth=Bearer ${token}\x01`, [token]],
  ['an MSK token by itself', `token ${token} refused`, [token]],
])('%s is not told', (_name, text, secrets) => {
  for (const secret of secrets) expect(redact(text)).not.toContain(secret)
})

it('keeps what is no secret', () => {
  const text = 'SkkError: topic "authorization-events" does not exist on arn:aws:kafka:us-east-1:123456789012:cluster/demo/1-s1'

  expect(redact(text)).toBe(text)
})

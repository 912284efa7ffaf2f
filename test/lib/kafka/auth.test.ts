import {describe, expect, it} from 'vitest'

import {tokenFor} from '../../../src/lib/kafka/auth.js'
import type {Credentials, KafkaTarget} from '../../../src/lib/kafka/target.js'

const target = (credentials: Partial<Credentials> = {}, options: Partial<KafkaTarget> = {}): KafkaTarget => ({
  bootstrap: [],
  auth: 'iam',
  tls: true,
  region: 'eu-central-1',
  credentials: async () => ({accessKeyId: 'test', secretAccessKey: 'secret', ...credentials}),
  timeoutMs: 1_000,
  describe: 'prod',
  ...options,
})

const urlOf = (token: string): URL => new URL(Buffer.from(token, 'base64url').toString())
const inSeconds = (seconds: number): Date => new Date(Date.now() + seconds * 1000)

describe('a token', () => {
  it('is signed for the region, and for 900 seconds', async () => {
    const url = urlOf(await tokenFor('b-1', target()))

    expect(url.hostname).toBe('kafka.eu-central-1.amazonaws.com')
    expect(url.searchParams.get('X-Amz-Expires')).toBe('900')
    expect(url.searchParams.get('Action')).toBe('kafka-cluster:Connect')
  })

  it('ends with the credentials, in whole seconds', async () => {
    for (let i = 0; i < 20; i++) {
      const expires = urlOf(await tokenFor('b-1', target({sessionToken: 's', expiration: inSeconds(123.456)}))).searchParams.get(
        'X-Amz-Expires',
      )

      expect(expires).toMatch(/^12[23]$/)
    }
  })

  it('is 900 seconds long for credentials that last longer', async () => {
    const url = urlOf(await tokenFor('b-1', target({expiration: inSeconds(3_600)})))

    expect(url.searchParams.get('X-Amz-Expires')).toBe('900')
  })

  it.each([-5, 0, 59])('is refused when the credentials last for %i seconds', async (seconds) => {
    await expect(tokenFor('b-1', target({expiration: inSeconds(seconds)}))).rejects.toMatchObject({
      code: 'CREDENTIALS_EXPIRED',
      exitCode: 4,
    })
  })

  it.each([
    ['boot.example.com', 'test'],
    ['10.0.0.1', 'test'],
    ['localhost.example.com', 'test'],
    ['127.0.0.1', 'AKIAIOSFODNN7EXAMPLE'],
    ['localhost', 'ASIAIOSFODNN7EXAMPLE'],
  ])('never goes to %s without TLS for the key %s', async (host, accessKeyId) => {
    await expect(tokenFor(host, target({accessKeyId}, {tls: false}))).rejects.toMatchObject({code: 'INSECURE_IAM', exitCode: 2})
  })

  it.each(['localhost', '127.0.0.1', '::1'])('goes to %s without TLS for a key that is not of AWS', async (host) => {
    await expect(tokenFor(host, target({}, {tls: false}))).resolves.toEqual(expect.any(String))
  })

  it('is refused without a region', async () => {
    const {region: _, ...nowhere} = target()

    await expect(tokenFor('b-1', nowhere)).rejects.toMatchObject({code: 'REGION_MISSING', exitCode: 2})
  })
})

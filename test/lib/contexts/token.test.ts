import {describe, expect, it} from 'vitest'

import {guardToken} from '../../../src/lib/contexts/token.js'

const provider = (accessKeyId: string) => async () => ({accessKeyId, secretAccessKey: 's'})
const guard = (options: {key?: string; tls?: boolean; auth?: 'iam' | 'none'; bootstrap?: string}) => {
  const {key = 'test', tls = false, auth = 'iam', bootstrap = '127.0.0.1:9098'} = options
  return async () => guardToken({auth, tls, credentials: provider(key)}, bootstrap.split(','))()
}

describe('an IAM token', () => {
  it('goes over TLS, wherever that is', async () => {
    await expect(guard({tls: true, bootstrap: 'b:1', key: 'AKIAIOSFODNN7EXAMPLE'})()).resolves.toBeDefined()
    await expect(guard({tls: true, key: 'ASIAIOSFODNN7EXAMPLE'})()).resolves.toBeDefined()
  })

  it('does not leave this machine in the clear, not even with keys that are not AWS ones', async () => {
    await expect(guard({bootstrap: 'b:1'})()).rejects.toMatchObject({
      exitCode: 2,
      code: 'TOKEN_UNSAFE',
      message: expect.stringContaining('"b:1"'),
    })
    await expect(guard({bootstrap: '127.0.0.1:1,b:1'})()).rejects.toMatchObject({code: 'TOKEN_UNSAFE'})
    await expect(guard({bootstrap: '127.0.0.1.example:1'})()).rejects.toMatchObject({code: 'TOKEN_UNSAFE'})
  })

  it.each(['AKIAIOSFODNN7EXAMPLE', 'ASIAIOSFODNN7EXAMPLE'])(
    'of the AWS key %s is not sent in the clear, even on this machine',
    async (key) => {
      await expect(guard({key})()).rejects.toMatchObject({exitCode: 2, code: 'TOKEN_UNSAFE'})
    },
  )

  it('of the local stack goes over loopback', async () => {
    await expect(guard({bootstrap: 'localhost:1,[::1]:2,127.8.9.1:3'})()).resolves.toMatchObject({accessKeyId: 'test'})
  })

  it('is not the question where no login is', async () => {
    await expect(guard({auth: 'none', bootstrap: 'b:1', key: 'AKIAIOSFODNN7EXAMPLE'})()).resolves.toBeDefined()
  })
})

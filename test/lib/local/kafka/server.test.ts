import {describe, expect, it} from 'vitest'

import {ERROR} from '../../../../src/lib/local/kafka/api/error-codes.js'
import type {
  ApiVersionsResponse,
  MetadataResponse,
  ProduceResponse,
  SaslAuthenticateResponse,
  SaslHandshakeResponse,
} from '../../../../src/lib/local/kafka/messages.js'
import {encodeBatch} from '../../../../src/lib/records/batch.js'
import {bearerToken} from '../../../support/msk-token.js'
import {stack} from '../../../support/stack.js'
import {requestBytes, type WireClient, wireClient, withSize} from '../../../support/wire-client.js'

const METADATA = 3
const API_VERSIONS = 18

const login = async (client: WireClient, token: Buffer): Promise<SaslAuthenticateResponse> => {
  await client.request<SaslHandshakeResponse>(17, 1, {mechanism: 'OAUTHBEARER'})
  return client.request<SaslAuthenticateResponse>(36, 1, {authBytes: token})
}

const freshToken = (over: object = {}, credentials?: {accessKeyId: string; secretAccessKey: string}): Promise<Buffer> =>
  bearerToken({signedAt: Date.now(), ...over}, credentials)

const metadataOf = (client: WireClient): Promise<MetadataResponse> => client.request(METADATA, 9, {topics: null})

describe('a connection', () => {
  it('answers requests in the order in which they came', async () => {
    const {plaintextBootstrap} = await stack()
    const client = await wireClient(plaintextBootstrap!)

    client.send(Buffer.concat([1, 2, 3].map((id) => requestBytes(METADATA, 1, id, {topics: null}))))
    const ids = [await client.frame(), await client.frame(), await client.frame()].map((frame) => frame.readInt32BE(0))

    expect(ids).toEqual([1, 2, 3])
  })

  it('learns the versions even when it asks with one from the future', async () => {
    const {plaintextBootstrap} = await stack()
    const client = await wireClient(plaintextBootstrap!)

    client.send(withSize(Buffer.from('0012006300000007000000ff', 'hex')))
    const frame = await client.frame()

    expect(frame.readInt32BE(0)).toBe(7)
    expect(frame.readInt16BE(4)).toBe(ERROR.unsupportedVersion)
    expect(frame.readInt32BE(6)).toBeGreaterThan(20)
  })

  it('is given back bytes that arrive one at a time', async () => {
    const {plaintextBootstrap} = await stack()
    const client = await wireClient(plaintextBootstrap!)
    client.socket.setNoDelay(true)

    for (const byte of requestBytes(METADATA, 1, 5, {topics: null})) client.send(Buffer.from([byte]))

    expect((await client.frame()).readInt32BE(0)).toBe(5)
  })

  it.each([
    ['a negative length', Buffer.from('ffffffff', 'hex')],
    ['a length of nothing', Buffer.from('00000000', 'hex')],
    ['more than 100 MiB', Buffer.from('06400001', 'hex')],
    ['an unknown API', withSize(Buffer.from('03e70000000000010000', 'hex'))],
    ['an API that Serverless does not have', requestBytes(21, 1, 1, {topics: [], timeoutMs: 1})],
    ['an array longer than its frame', withSize(Buffer.from('00030001000000010000' + '7fffffff', 'hex'))],
    ['a body that is cut off', withSize(Buffer.from('00030001000000010000' + '000000', 'hex'))],
  ])('is closed, alone, by %s', async (_what, bytes) => {
    const {plaintextBootstrap} = await stack()
    const [hostile, other] = [await wireClient(plaintextBootstrap!), await wireClient(plaintextBootstrap!)]

    hostile.send(bytes)
    await hostile.closed()

    expect((await metadataOf(other)).brokers).toHaveLength(1)
  })

  it('is closed when a frame rests, but not when it goes on', async () => {
    const {plaintextBootstrap} = await stack({stallMs: 150})
    const [resting, slow] = [await wireClient(plaintextBootstrap!), await wireClient(plaintextBootstrap!)]
    const bytes = requestBytes(METADATA, 1, 1, {topics: null})

    resting.send(bytes.subarray(0, 6))
    const answered = slow.frame()
    for (let at = 0; at < bytes.length; at += 4) {
      slow.send(bytes.subarray(at, at + 4))
      await new Promise((resolve) => setTimeout(resolve, 50))
    }

    await resting.closed()
    expect((await answered).readInt32BE(0)).toBe(1)
  })

  it('is closed when it never reads what it asked for', async () => {
    const {plaintextBootstrap} = await stack({stallMs: 300})
    const producer = await wireClient(plaintextBootstrap!)
    await producer.request(19, 2, {topics: [topic('big')], timeoutMs: 1000, validateOnly: false})
    const records = await encodeBatch([{key: null, value: Buffer.alloc(900_000), headers: [], timestamp: Date.now()}])
    for (let sent = 0; sent < 30; sent++) await produce(producer, 'big', records)

    const greedy = await wireClient(plaintextBootstrap!)
    greedy.socket.pause()
    for (let id = 0; id < 4; id++) greedy.send(requestBytes(1, 4, id, fetchOf('big')))

    await refusesBytes(greedy)
    expect((await metadataOf(producer)).topics).toHaveLength(1)
  }, 20_000)
})

describe('an IAM listener', () => {
  it('answers nothing but versions and SASL before login', async () => {
    const {bootstrap} = await stack()
    const [early, polite] = [await wireClient(bootstrap), await wireClient(bootstrap)]

    const versions = await polite.request<ApiVersionsResponse>(API_VERSIONS, 3, {
      clientSoftwareName: 'x',
      clientSoftwareVersion: '1',
    })
    early.send(requestBytes(METADATA, 1, 1, {topics: null}))

    await early.closed()
    expect(versions.apiKeys.length).toBeGreaterThan(20)
  })

  it('lets nobody send more than 64 KiB before login', async () => {
    const {bootstrap} = await stack()
    const client = await wireClient(bootstrap)

    client.send(Buffer.from('00010001', 'hex'))

    await client.closed()
  })

  it('closes whoever does not log in', async () => {
    const {bootstrap} = await stack({stallMs: 200})
    const client = await wireClient(bootstrap)

    for (const id of [1, 2, 3]) client.send(requestBytes(API_VERSIONS, 0, id, {}))

    await client.closed()
  })

  it('tells how long a session lasts, and closes one that is over', async () => {
    const {bootstrap} = await stack()
    const client = await wireClient(bootstrap)

    const {errorCode, sessionLifetimeMs} = await login(client, await freshToken({expiresIn: 3}))
    await new Promise((resolve) => setTimeout(resolve, 3_100))
    client.send(requestBytes(METADATA, 1, 1, {topics: null}))

    await client.closed()
    expect(errorCode).toBe(ERROR.none)
    expect(sessionLifetimeMs).toBeLessThanOrEqual(3_000)
  })

  it('goes on with a session that logs in again in time', async () => {
    const {bootstrap} = await stack()
    const client = await wireClient(bootstrap)

    await login(client, await freshToken({expiresIn: 2}))
    for (let round = 0; round < 100; round++)
      expect((await login(client, await freshToken({expiresIn: 900}))).errorCode).toBe(ERROR.none)
    await new Promise((resolve) => setTimeout(resolve, 2_100))

    expect((await metadataOf(client)).brokers).toHaveLength(1)
  })

  it('refuses a wrong secret as MSK words it', async () => {
    const {bootstrap, lines} = await stack()
    const client = await wireClient(bootstrap)

    const token = await freshToken({}, {accessKeyId: 'test', secretAccessKey: 'wrong'})
    const {errorCode, errorMessage} = await login(client, token)

    expect(errorCode).toBe(ERROR.saslAuthenticationFailed)
    expect(errorMessage).toMatch(/^\[[0-9a-f-]{36}\]: Access denied$/)
    expect(lines.join('\n')).toContain('authentication failed')
    expect(lines.join('\n')).not.toContain('X-Amz-Signature')
  })

  it('leaves a refused client time to read why, then closes', async () => {
    const {bootstrap} = await stack()
    const client = await wireClient(bootstrap)

    await login(client, await freshToken({}, {accessKeyId: 'test', secretAccessKey: 'wrong'}))
    const answered = performance.now()
    await client.closed()

    expect(performance.now() - answered).toBeGreaterThan(100)
  })

  it('offers its mechanisms to whoever asks for another', async () => {
    const {bootstrap} = await stack()
    const client = await wireClient(bootstrap)

    const answer = await client.request<SaslHandshakeResponse>(17, 1, {mechanism: 'PLAIN'})

    expect(answer).toEqual({errorCode: ERROR.unsupportedSaslMechanism, mechanisms: ['AWS_MSK_IAM', 'OAUTHBEARER']})
  })

  it('takes a bare token after the first version of the handshake', async () => {
    const {bootstrap} = await stack()
    const client = await wireClient(bootstrap)

    await client.request(17, 0, {mechanism: 'OAUTHBEARER'})
    client.send(withSize(await freshToken()))
    expect(await client.frame()).toHaveLength(0)

    expect((await metadataOf(client)).brokers).toHaveLength(1)
  })
})

describe('msk-2022', () => {
  it('closes a connection that uses a version below the published ones', async () => {
    const {plaintextBootstrap} = await stack({apiProfile: 'msk-2022'})
    const [old, current] = [await wireClient(plaintextBootstrap!), await wireClient(plaintextBootstrap!)]

    old.send(requestBytes(METADATA, 6, 1, {topics: null}))

    await old.closed()
    expect((await metadataOf(current)).brokers).toHaveLength(1)
  })
})

describe('several nodes', () => {
  it('share one cluster, each leading its part', async () => {
    const {plaintextBootstrap} = await stack({brokers: 3})
    const addresses = plaintextBootstrap!.split(',')
    const first = await wireClient(addresses[0]!)
    await first.request(19, 2, {topics: [{...topic('t'), numPartitions: 6}], timeoutMs: 1000, validateOnly: false})

    const {brokers, topics} = await metadataOf(first)
    const leaders = topics[0]!.partitions.map(({leaderId}) => leaderId)
    const elsewhere = topics[0]!.partitions.find(({leaderId}) => leaderId !== brokers[0]!.nodeId)!
    const records = await encodeBatch([{key: null, value: Buffer.from('x'), headers: [], timestamp: Date.now()}])
    const answer = await produce(first, 't', records, elsewhere.partitionIndex)

    expect(brokers.map(({host, port}) => `${host}:${port}`)).toEqual(addresses)
    expect(new Set(leaders).size).toBe(3)
    expect(answer.responses[0]!.partitionResponses[0]!.errorCode).toBe(ERROR.notLeaderOrFollower)
  })
})

/** A socket that does not read learns that it was closed when it writes. */
async function refusesBytes({socket}: WireClient): Promise<void> {
  let isClosed = false
  socket.on('error', () => {
    isClosed = true
  })
  while (!isClosed && !socket.destroyed) {
    socket.write(Buffer.alloc(1))
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

const topic = (name: string) => ({name, numPartitions: 1, replicationFactor: -1, assignments: [], configs: []})

const produce = (client: WireClient, name: string, records: Buffer, index = 0): Promise<ProduceResponse> =>
  client.request(0, 7, {transactionalId: null, acks: -1, timeoutMs: 1000, topicData: [{name, partitionData: [{index, records}]}]})

const fetchOf = (name: string): object => ({
  replicaId: -1,
  maxWaitMs: 0,
  minBytes: 1,
  maxBytes: 50_000_000,
  isolationLevel: 0,
  topics: [{topic: name, partitions: [{partition: 0, fetchOffset: 0, partitionMaxBytes: 50_000_000}]}],
})

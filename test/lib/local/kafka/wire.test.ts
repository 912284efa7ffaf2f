import {createRequire} from 'node:module'
import fc from 'fast-check'
import {describe, expect, it} from 'vitest'

import {apis} from '../../../../src/lib/local/kafka/api/index.js'
import {messages} from '../../../../src/lib/local/kafka/messages.js'
import {advertised, servedVersions} from '../../../../src/lib/local/kafka/profiles.js'
import {decode, encode, type FieldSchema, ProtocolError, Reader, Writer} from '../../../../src/lib/local/kafka/wire.js'

const require = createRequire(import.meta.url)
const written = (key: number, side: 'request' | 'response', version: number, message: object): Buffer => {
  const writer = new Writer()
  encode(key, side, version, message, writer)
  return Buffer.concat(writer.chunks())
}

describe('the codec', () => {
  it('reads what kafkajs writes', async () => {
    const joinGroup = require('kafkajs/src/protocol/requests/joinGroup/v5/request.js')
    const {buffer} = await joinGroup({
      groupId: 'g',
      sessionTimeout: 30_000,
      rebalanceTimeout: 60_000,
      memberId: '',
      groupInstanceId: null,
      protocolType: 'consumer',
      groupProtocols: [{name: 'RoundRobinAssigner', metadata: Buffer.from('meta')}],
    }).encode()

    const request = decode(11, 'request', 5, new Reader(buffer))

    expect(request).toEqual({
      groupId: 'g',
      sessionTimeoutMs: 30_000,
      rebalanceTimeoutMs: 60_000,
      memberId: '',
      groupInstanceId: null,
      protocolType: 'consumer',
      protocols: [{name: 'RoundRobinAssigner', metadata: Buffer.from('meta')}],
      reason: null,
    })
  })

  it('writes what kafkajs reads', async () => {
    const metadata = require('kafkajs/src/protocol/requests/metadata/v6/response.js')
    const bytes = written(3, 'response', 6, {
      brokers: [{nodeId: 151, host: '127.0.0.1', port: 9098}],
      clusterId: 'c',
      controllerId: 151,
      topics: [
        {
          errorCode: 0,
          name: 'orders',
          isInternal: false,
          partitions: [
            {errorCode: 0, partitionIndex: 0, leaderId: 151, replicaNodes: [151], isrNodes: [151], offlineReplicas: []},
          ],
        },
      ],
    })

    const decoded = await metadata.decode(bytes)

    expect(decoded.brokers).toEqual([{nodeId: 151, host: '127.0.0.1', port: 9098, rack: null}])
    expect(decoded.topicMetadata[0].partitionMetadata[0]).toMatchObject({partitionId: 0, leader: 151, replicas: [151]})
  })

  it('reads back every message that it writes, in every version', () => {
    const seed = Number(process.env['SKK_SEED'] ?? Date.now() % 2 ** 31)
    const cases = apis.flatMap(({key, versions: [min, max]}) =>
      Array.from({length: max - min + 1}, (_, index) => ({key, version: min + index})),
    )

    for (const {key, version} of cases) {
      for (const side of ['request', 'response'] as const) {
        fc.assert(
          fc.property(messageOf(messages[key]![side]), (message) => {
            const once = written(key, side, version, message)
            const read = decode<object>(key, side, version, new Reader(once))
            expect(written(key, side, version, read)).toEqual(once)
          }),
          {seed, numRuns: 5},
        )
      }
    }
  })

  it('refuses a count that cannot fit before it makes room for it', () => {
    const twoBillionTopics = Buffer.from('7fffffff00', 'hex')

    expect(() => decode(3, 'request', 1, new Reader(twoBillionTopics))).toThrow(ProtocolError)
  })

  it('leaves bytes after the end of a message alone', () => {
    expect(decode(18, 'request', 0, new Reader(Buffer.from([0])))).toEqual({clientSoftwareName: '', clientSoftwareVersion: ''})
  })

  it('skips tagged fields that it does not know', () => {
    const withTag = Buffer.concat([
      written(18, 'request', 3, {clientSoftwareName: 'x', clientSoftwareVersion: '1'}).subarray(0, -1),
      Buffer.from([1, 99, 2, 7, 7]),
    ])

    expect(decode(18, 'request', 3, new Reader(withTag))).toEqual({clientSoftwareName: 'x', clientSoftwareVersion: '1'})
  })
})

describe('profiles', () => {
  it.each(['msk-serverless', 'msk-2022', 'wide'] as const)('%s advertises nothing that is not implemented', (profile) => {
    for (const {apiKey, minVersion, maxVersion} of advertised(profile)) {
      const api = apis.find(({key}) => key === apiKey)

      expect(api, `API ${apiKey}`).toBeDefined()
      expect(minVersion).toBeGreaterThanOrEqual(api!.versions[0])
      expect(maxVersion).toBeLessThanOrEqual(api!.versions[1])
    }
  })

  it('msk-serverless has no DeleteRecords', () => {
    expect(servedVersions('msk-serverless', 21)).toBeUndefined()
  })
})

/** Messages with values of the right types; a field may be missing, as handlers leave it out. */
function messageOf(fields: readonly FieldSchema[]): fc.Arbitrary<object> {
  const members = fields.map((field) => [field.name, fc.option(fieldValue(field), {nil: undefined})] as const)
  return fc.record(Object.fromEntries(members))
}

function fieldValue(field: FieldSchema): fc.Arbitrary<unknown> {
  if (field.array) return fc.array(fieldValue({...field, array: undefined as never}), {maxLength: 3})
  if (Array.isArray(field.type)) return messageOf(field.type)
  const arbitraries: Record<string, fc.Arbitrary<unknown>> = {
    bool: fc.boolean(),
    int8: fc.integer({min: -128, max: 127}),
    int16: fc.integer({min: -32768, max: 32767}),
    uint16: fc.integer({min: 0, max: 65535}),
    int32: fc.integer(),
    int64: fc.maxSafeInteger(),
    float64: fc.double({noNaN: true}),
    uuid: fc.uint8Array({minLength: 16, maxLength: 16}).map((bytes) => Buffer.from(bytes).toString('base64url')),
    string: fc.string({unit: 'binary'}),
    bytes: fc.uint8Array().map((bytes) => Buffer.from(bytes)),
    records: fc.uint8Array().map((bytes) => Buffer.from(bytes)),
  }
  return arbitraries[field.type as string]!
}

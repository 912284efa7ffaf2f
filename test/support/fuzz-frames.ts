import {readdirSync, readFileSync} from 'node:fs'
import {join} from 'node:path'

import {apis} from '../../src/lib/local/kafka/api/index.js'
import {messages} from '../../src/lib/local/kafka/messages.js'
import {type ApiProfile, servedVersions} from '../../src/lib/local/kafka/profiles.js'
import type {FieldSchema} from '../../src/lib/local/kafka/wire.js'
import {encodeBatch} from '../../src/lib/records/batch.js'
import type {Compression} from '../../src/lib/records/compression.js'
import {requestBytes} from './wire-client.js'

/** The topics that the frames are about. `fuzz-doomed` is the one that they delete. */
export const TOPICS = ['fuzz', 'fuzz-doomed', 'recorded', 'kt', 'jt'] as const

const RECORDINGS = join(import.meta.dirname, 'fuzz-requests')
const PRODUCE = 0
/** CreateTopics, DeleteTopics. */
const MAKES_TOPICS = [19, 20]
export const CODECS: readonly Compression[] = ['none', 'gzip', 'snappy', 'lz4', 'zstd']

export type Known = {
  /** For SaslAuthenticate. */
  token: Buffer
  /** Of the topic `fuzz`. */
  topicId: string
}

/** Frames with their size that a stack of that profile answers: what real clients sent, and each API in each version. */
export async function validFrames(profile: ApiProfile, known: Known): Promise<Buffer[]> {
  const batches = await Promise.all(CODECS.map(exampleBatch))
  const made = apis.flatMap(({key}) =>
    (key === PRODUCE ? batches : batches.slice(0, 1)).flatMap((batch) => {
      const body = exampleRequest(key, known, batch)
      return versionsOf(key, profile).map((version) => requestBytes(key, version, version, body))
    }),
  )
  return [...made, ...recordedFrames()]
}

function versionsOf(key: number, profile: ApiProfile): number[] {
  const [min, max] = servedVersions(profile, key) ?? [0, -1]
  return Array.from({length: max - min + 1}, (_, index) => min + index)
}

/** A request with one element in each array, about the fuzzed topic; what makes and deletes topics is about another one. */
export function exampleRequest(key: number, known: Known, batch: Buffer): object {
  const about = MAKES_TOPICS.includes(key) ? {topic: 'fuzz-doomed', topicId: ''} : {topic: 'fuzz'}
  return exampleOf(messages[key]!.request, '', {...known, ...about, batch})
}

function recordedFrames(): Buffer[] {
  const files = readdirSync(RECORDINGS).filter((file) => file.endsWith('.base64'))
  const lines = files.flatMap((file) => readFileSync(join(RECORDINGS, file), 'utf8').trimEnd().split('\n'))
  return lines.map((line) => framed(Buffer.from(line, 'base64')))
}

export function framed(bytes: Buffer, size = bytes.length): Buffer {
  const frame = Buffer.allocUnsafe(4 + bytes.length)
  frame.writeInt32BE(size, 0)
  bytes.copy(frame, 4)
  return frame
}

export function exampleBatch(compression: Compression): Promise<Buffer> {
  const records = Array.from({length: 3}, (_, index) => ({
    key: index === 2 ? null : Buffer.from(`key-${index}`),
    value: index === 1 ? null : Buffer.from('value '.repeat(10)),
    headers: [{key: Buffer.from('trace'), value: Buffer.from('1')}],
    timestamp: Date.now(),
  }))
  return encodeBatch(records, {compression})
}

type Values = Known & {topic: string; batch: Buffer}

/** What makes a request about the fuzzed topics and groups, by the field's name, or by its parent's and its own. */
const EXAMPLES: Record<string, unknown> = {
  'configs.name': 'retention.ms',
  value: '100000000',
  configurationKeys: 'retention.ms',
  'protocols.name': 'range',
  groupId: 'fuzz-group',
  groups: 'fuzz-group',
  groupsNames: 'fuzz-group',
  key: 'fuzz-group',
  coordinatorKeys: 'fuzz-group',
  protocolType: 'consumer',
  protocolName: 'range',
  memberId: '',
  groupInstanceId: null,
  transactionalId: null,
  mechanism: 'OAUTHBEARER',
  statesFilter: 'Stable',
  typesFilter: 'classic',
  clientSoftwareName: 'fuzz',
  clientSoftwareVersion: '1',
  resourceType: 2,
  acks: -1,
  replicaId: -1,
  replicationFactor: -1,
  numPartitions: -1,
  count: 3,
  timeoutMs: 100,
  maxWaitMs: 5,
  minBytes: 1,
  maxBytes: 1_000_000,
  partitionMaxBytes: 100_000,
  sessionTimeoutMs: 6_000,
  rebalanceTimeoutMs: 50,
  sessionId: 0,
  sessionEpoch: -1,
  currentLeaderEpoch: -1,
  lastFetchedEpoch: -1,
  leaderEpoch: 0,
  producerId: -1,
  producerEpoch: -1,
  generationId: -1,
  generationIdOrMemberEpoch: -1,
  memberEpoch: -1,
  timestamp: 1_700_000_000_000,
  // It would make the next frames something else.
  assignments: [],
  forgottenTopicsData: [],
}

function exampleOf(fields: readonly FieldSchema[], parent: string, known: Values): object {
  return Object.fromEntries(fields.map((field) => [field.name, exampleField(field, parent, known)]))
}

function exampleField(field: FieldSchema, parent: string, known: Values): unknown {
  const {name, type, array} = field
  const given = EXAMPLES[`${parent}.${name}`] ?? (name in EXAMPLES && !Array.isArray(type) ? EXAMPLES[name] : undefined)
  if (Array.isArray(given) || name === 'assignments') return []
  const one = Array.isArray(type)
    ? exampleOf(type, name, known)
    : (given ?? (name in EXAMPLES ? null : exampleValue(type, known)))
  return array ? [one] : one
}

function exampleValue(type: string, {token, topicId, topic, batch}: Values): unknown {
  switch (type) {
    case 'records':
      return batch
    case 'bytes':
      return token
    case 'uuid':
      return topicId
    case 'string':
      return topic
    case 'bool':
      return false
    default:
      return 0
  }
}

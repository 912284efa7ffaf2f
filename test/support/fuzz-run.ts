import {once} from 'node:events'
import {connect, type Socket} from 'node:net'
import fc from 'fast-check'

import type {MetadataResponse} from '../../src/lib/local/kafka/messages.js'
import {decode, isFlexible, Reader} from '../../src/lib/local/kafka/wire.js'
import {CODECS, exampleBatch, TOPICS, validFrames} from './fuzz-frames.js'
import {mutatedFrames} from './fuzz-mutations.js'
import type {FuzzedStack} from './fuzz-stack.js'
import {bearerToken} from './msk-token.js'
import {requestBytes} from './wire-client.js'

export type FuzzOptions = {frames: number; seed: number; profile?: 'msk-serverless' | 'msk-2022' | 'wide'}

export type FuzzResult = {
  /** Frames that were answered, or for which the connection was closed. */
  judged: number
  /** Connections that did not survive what they carried. */
  closed: number
  growthMiB: number
}

/** The seed of this run: `SKK_SEED`, or a new one. */
export const fuzzSeed = (): number => Number(process.env['SKK_SEED'] ?? Math.floor(Math.random() * 2 ** 31))

const CONNECTIONS = 12
const FRAMES_PER_WRITE = 16
const FRAMES_PER_SAMPLE = 2_000
/** A frame that has no answer after so long waits for something (a fetch, a round of a group, the rest of a lying size), or has none (acks=0). */
const QUIET_MS = 60
const SENTINEL = 0x5e471e1

/**
 * Sends mutated frames to the stack over connections of every kind: plaintext, IAM before login, IAM after it. Each frame is
 * judged by the stack: those behind one that ended their connection are sent again on the next. Throws with the seed and the
 * frames that were under way when the stack dies.
 */
export async function fuzz(stack: FuzzedStack, {frames, seed, profile = 'wide'}: FuzzOptions): Promise<FuzzResult> {
  await makeTopics(stack)
  const valid = await validFrames(profile, {token: await freshToken(), topicId: await topicIdOf(stack, 'fuzz')})
  // What the stack keeps after it has seen everything is no leak: its codecs, and topics and groups up to their quotas.
  await useCodecs(stack)
  await Promise.all(connections(stack).map((connection) => drive(connection, iterate([...valid, ...valid]), stack)))
  await driveAll(stack, valid, frames / 4, seed - 1)

  const before = await stack.residentMiB()
  const tallies = await driveAll(stack, valid, frames, seed)
  await new Promise((resolve) => setTimeout(resolve, 2_500))
  const sum = (pick: (tally: Tally) => number): number => tallies.map(pick).reduce((total, one) => total + one, 0)
  return {
    judged: sum(({judged}) => judged),
    closed: sum(({closed}) => closed),
    growthMiB: (await stack.residentMiB()) - before,
  }
}

function driveAll(stack: FuzzedStack, valid: readonly Buffer[], frames: number, seed: number): Promise<Tally[]> {
  const forAll = sampled(mutatedFrames(valid), Math.ceil(frames * 0.9), seed)
  const beforeLogin = sampled(mutatedFrames(valid.filter(isOpen)), Math.ceil(frames * 0.1), seed)
  const sourceOf = ({kind}: FuzzConnection) => (kind === 'IAM before login' ? beforeLogin : forAll)
  return Promise.all(connections(stack).map((connection) => drive(connection, sourceOf(connection), stack)))
}

/** Whether it may be asked before login: SaslHandshake, ApiVersions, SaslAuthenticate. */
const isOpen = (frame: Buffer): boolean => [17, 18, 36].includes(frame.readInt16BE(4))

function* sampled<T>(arbitrary: fc.Arbitrary<T>, count: number, seed: number): Generator<T> {
  for (let made = 0; made < count; made += FRAMES_PER_SAMPLE) {
    yield* fc.sample(arbitrary, {numRuns: Math.min(FRAMES_PER_SAMPLE, count - made), seed: seed + made})
  }
}

const iterate = <T>(items: readonly T[]): Iterator<T> => items[Symbol.iterator]()

type Kind = 'plaintext' | 'IAM before login' | 'IAM after login'
type FuzzConnection = {address: string; kind: Kind}
type Tally = {judged: number; closed: number}

const KINDS: readonly Kind[] = ['plaintext', 'plaintext', 'IAM after login', 'IAM before login']

const connections = ({plaintext, iam}: FuzzedStack): FuzzConnection[] =>
  Array.from({length: CONNECTIONS}, (_, index) => {
    const kind = KINDS[index % KINDS.length]!
    return {kind, address: kind === 'plaintext' ? plaintext : iam}
  })

/** Takes frames until there are none; several share one source. */
async function drive({address, kind}: FuzzConnection, source: Iterator<Buffer>, stack: FuzzedStack): Promise<Tally> {
  const tally = {judged: 0, closed: 0}
  let socket: Socket | undefined
  let pending = take(source, FRAMES_PER_WRITE)
  while (pending.length > 0) {
    const prologue = !socket && kind === 'IAM after login' ? await login() : []
    socket ??= await open(address)
    const {judged, survived} = await send(socket, prologue, pending)
    if (!stack.isAlive())
      throw new Error(`the stack died of one of:\n${pending.map((frame) => frame.toString('hex')).join('\n')}`)
    tally.judged += judged
    if (!survived) {
      tally.closed++
      socket.destroy()
      socket = undefined
    }
    pending = [...pending.slice(judged), ...take(source, judged)]
  }
  socket?.destroy()
  return tally
}

function take<T>(source: Iterator<T>, count: number): T[] {
  const items: T[] = []
  while (items.length < count) {
    const {done, value} = source.next()
    if (done) break
    items.push(value)
  }
  return items
}

/** A connection to HOST:PORT. */
export async function open(address: string): Promise<Socket> {
  const at = address.lastIndexOf(':')
  const socket = connect(Number(address.slice(at + 1)), address.slice(0, at))
  socket.on('error', () => {})
  await once(socket, 'connect')
  return socket
}

/**
 * Sends the frames at once, and behind them a request whose answer shows that the connection survived. `judged` counts at least
 * one frame, so that one that is never answered is not sent for ever.
 */
function send(
  socket: Socket,
  prologue: readonly Buffer[],
  frames: readonly Buffer[],
): Promise<{judged: number; survived: boolean}> {
  return new Promise((resolve) => {
    const counter = new ResponseCounter()
    const settle = (survived: boolean): void => {
      clearTimeout(timer)
      socket.off('data', count)
      socket.off('close', end)
      const judged = survived ? frames.length : Math.max(0, counter.frames - prologue.length) + 1
      resolve({judged: Math.min(judged, frames.length), survived})
    }
    const end = (): void => settle(false)
    const count = (bytes: Buffer): void => {
      counter.add(bytes)
      if (counter.lastId === SENTINEL) settle(true)
      else timer.refresh()
    }
    const timer = setTimeout(end, QUIET_MS)
    socket.on('data', count)
    socket.once('close', end)
    if (socket.destroyed) end()
    else socket.write(Buffer.concat([...prologue, ...frames, requestBytes(18, 0, SENTINEL, {})]))
  })
}

/** Counts the size-prefixed frames of a stream without keeping them. */
class ResponseCounter {
  frames = 0
  lastId: number | undefined
  #head = Buffer.alloc(8)
  #at = 0
  #left = 0

  add(bytes: Buffer): void {
    for (let at = 0; at < bytes.length; ) {
      if (this.#at < 8) {
        const copied = bytes.copy(this.#head, this.#at, at)
        this.#at += copied
        at += copied
        if (this.#at < 8) return
        this.#left = this.#head.readInt32BE(0) - 4
      }
      const skipped = Math.min(this.#left, bytes.length - at)
      this.#left -= skipped
      at += skipped
      if (this.#left > 0) return
      this.frames++
      this.lastId = this.#head.readInt32BE(4)
      this.#at = 0
    }
  }
}

const freshToken = (): Promise<Buffer> => bearerToken({signedAt: Date.now()})

async function login(): Promise<Buffer[]> {
  return [requestBytes(17, 1, 1, {mechanism: 'OAUTHBEARER'}), requestBytes(36, 1, 2, {authBytes: await freshToken()})]
}

async function makeTopics({plaintext}: FuzzedStack): Promise<void> {
  const topics = TOPICS.map((name) => ({name, numPartitions: 2, replicationFactor: -1, assignments: [], configs: []}))
  await ask(plaintext, 19, 2, {topics, timeoutMs: 1_000, validateOnly: false})
}

/** A look-up by time decompresses. */
async function useCodecs({plaintext}: FuzzedStack): Promise<void> {
  for (const codec of CODECS) {
    const name = `codec-${codec}`
    const topics = [{name, numPartitions: 1, replicationFactor: -1, assignments: [], configs: []}]
    await ask(plaintext, 19, 2, {topics, timeoutMs: 1_000, validateOnly: false})
    const topicData = [{name, partitionData: [{index: 0, records: await exampleBatch(codec)}]}]
    await ask(plaintext, 0, 7, {transactionalId: null, acks: -1, timeoutMs: 1_000, topicData})
    await ask(plaintext, 2, 1, {replicaId: -1, topics: [{name, partitions: [{partitionIndex: 0, timestamp: 1}]}]})
  }
}

async function topicIdOf({plaintext}: FuzzedStack, name: string): Promise<string> {
  const {topics} = await ask<MetadataResponse>(plaintext, 3, 10, {topics: [{topicId: '', name}]})
  return topics[0]!.topicId!
}

/** One request on a connection of its own. Rejects when that is closed instead of answered. */
export async function ask<Response>(address: string, key: number, version: number, body: object): Promise<Response> {
  const socket = await open(address)
  socket.write(requestBytes(key, version, 1, body))
  let bytes = Buffer.alloc(0)
  for await (const chunk of socket) {
    bytes = Buffer.concat([bytes, chunk as Buffer])
    if (bytes.length >= 4 && bytes.length >= 4 + bytes.readInt32BE(0)) break
  }
  if (bytes.length < 4) throw new Error('the connection was closed')
  const reader = new Reader(bytes, 8)
  if (isFlexible(key, version)) reader.skip(1)
  return decode(key, 'response', version, reader)
}

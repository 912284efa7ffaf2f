import {messages} from './messages.js'

/**
 * Kafka's wire format, interpreted from schema tables: https://kafka.apache.org/protocol and KIP-482 (flexible versions).
 * A table is compiled once per (API, side, version) into a codec; there is no code per API here.
 */
type Primitive = 'bool' | 'int8' | 'int16' | 'int32' | 'int64' | 'uint16' | 'float64' | 'uuid' | 'string' | 'bytes' | 'records'

export type FieldSchema = {
  name: string
  type: Primitive | FieldSchema[] | string
  array?: true
  versions: string
  nullable?: string
  tag?: number
  tagged?: string
  default?: unknown
}

export type MessageSchema = {name: string; flexible: string; request: FieldSchema[]; response: FieldSchema[]}

/** A request that breaks the protocol. Kafka's answer to it is a closed connection. */
export class ProtocolError extends Error {
  override readonly name = 'ProtocolError'
}

/**
 * Kafka's own limit is memory. Ours is five times what the largest cluster of MSK Serverless can ask for: a million entries keep
 * the event loop for seconds and cost gigabytes.
 */
export const MAX_ELEMENTS = 50_000

/** Reads primitive types off a buffer, in order. Throws ProtocolError instead of reading past the end. */
export class Reader {
  readonly #buffer: Buffer
  #at: number
  /** Of all the arrays that were read. */
  elements = 0

  constructor(buffer: Buffer, at = 0) {
    this.#buffer = buffer
    this.#at = at
  }

  get remaining(): number {
    return this.#buffer.length - this.#at
  }

  /** Moves on by `size` bytes and returns where they start. */
  #take(size: number): number {
    if (size < 0 || size > this.remaining) throw new ProtocolError(`needs ${size} bytes, has ${this.remaining}`)
    const at = this.#at
    this.#at += size
    return at
  }

  int8 = (): number => this.#buffer.readInt8(this.#take(1))
  int16 = (): number => this.#buffer.readInt16BE(this.#take(2))
  uint16 = (): number => this.#buffer.readUInt16BE(this.#take(2))
  int32 = (): number => this.#buffer.readInt32BE(this.#take(4))
  float64 = (): number => this.#buffer.readDoubleBE(this.#take(8))
  bool = (): boolean => this.int8() !== 0

  /** Exact up to 2^53, which no offset, timestamp or producer id of a real log reaches; rounded beyond. */
  int64 = (): number => Number(this.#buffer.readBigInt64BE(this.#take(8)))

  uuid = (): string => {
    const at = this.#take(16)
    return this.#buffer.toString('base64url', at, at + 16)
  }

  uvarint(): number {
    let value = 0
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.#buffer[this.#take(1)]!
      value += (byte & 0x7f) * 2 ** shift
      if (byte < 0x80) return value
    }
    throw new ProtocolError('varint is too long')
  }

  bytes(length: number): Buffer {
    const at = this.#take(length)
    return this.#buffer.subarray(at, at + length)
  }

  string(length: number): string {
    const at = this.#take(length)
    return this.#buffer.toString('utf8', at, at + length)
  }

  skip(length: number): void {
    this.#take(length)
  }

  /** Checks a count against what is left before anything is allocated for it. */
  count(count: number, elementBytes: number): number {
    this.elements += count
    if (count * elementBytes > this.remaining)
      throw new ProtocolError(`${count} elements do not fit into ${this.remaining} bytes`)
    if (this.elements > MAX_ELEMENTS) throw new ProtocolError('too many elements')
    return count
  }
}

/** Appends primitive types; large byte strings are kept as they are, not copied. */
export class Writer {
  readonly #chunks: Buffer[] = []
  #buffer = Buffer.allocUnsafe(512)
  #start = 0
  #at = 0

  #room(size: number): number {
    if (this.#at + size > this.#buffer.length) {
      this.#seal()
      this.#buffer = Buffer.allocUnsafe(Math.max(size, this.#buffer.length * 2, 512))
      this.#start = this.#at = 0
    }
    const at = this.#at
    this.#at += size
    return at
  }

  #seal(): void {
    if (this.#at > this.#start) this.#chunks.push(this.#buffer.subarray(this.#start, this.#at))
    this.#start = this.#at
  }

  // `#room` may replace the buffer, so it runs first.
  int8 = (value: number): void => {
    const at = this.#room(1)
    this.#buffer.writeInt8(value, at)
  }
  int16 = (value: number): void => {
    const at = this.#room(2)
    this.#buffer.writeInt16BE(value, at)
  }
  uint16 = (value: number): void => {
    const at = this.#room(2)
    this.#buffer.writeUInt16BE(value, at)
  }
  int32 = (value: number): void => {
    const at = this.#room(4)
    this.#buffer.writeInt32BE(value, at)
  }
  int64 = (value: number): void => {
    const at = this.#room(8)
    this.#buffer.writeBigInt64BE(BigInt(value), at)
  }
  float64 = (value: number): void => {
    const at = this.#room(8)
    this.#buffer.writeDoubleBE(value, at)
  }
  bool = (value: boolean): void => this.int8(value ? 1 : 0)
  uuid = (value: string): void => this.raw(value === '' ? Buffer.alloc(16) : Buffer.from(value, 'base64url'))

  uvarint(value: number): void {
    let rest = value
    while (rest > 0x7f) {
      this.int8(((rest & 0x7f) | 0x80) - 256)
      rest = Math.floor(rest / 128)
    }
    this.int8(rest)
  }

  raw(bytes: Buffer): void {
    if (bytes.length > 4096) {
      this.#seal()
      this.#chunks.push(bytes)
      return
    }
    const at = this.#room(bytes.length)
    bytes.copy(this.#buffer, at)
  }

  /** What was written, in pieces for one `writev`. */
  chunks(): Buffer[] {
    this.#seal()
    return this.#chunks
  }
}

/** How one value is read and written; `least` is the smallest number of bytes that it takes. */
type Codec = {read(from: Reader): unknown; write(to: Writer, value: any): void; least: number; initial(): unknown}

const contains = (range: string | undefined, version: number): boolean => {
  if (range === undefined || range === 'none') return false
  const [from, to] = range.endsWith('+') ? [Number(range.slice(0, -1)), Number.POSITIVE_INFINITY] : range.split('-').map(Number)
  return version >= from! && version <= (to ?? from!)
}

const SIZES = {bool: 1, int8: 1, int16: 2, uint16: 2, int32: 4, int64: 8, float64: 8} as const

function numberCodec(type: keyof typeof SIZES): Codec {
  const zero = type === 'bool' ? false : 0
  return {read: (from) => from[type](), write: (to, value) => to[type](value as never), least: SIZES[type], initial: () => zero}
}

const uuidCodec: Codec = {read: (from) => from.uuid(), write: (to, value) => to.uuid(value), least: 16, initial: () => ''}

type Lengths = {read(from: Reader): number; write(to: Writer, length: number): void; least: number}

/** Flexible versions write length + 1 as a varint, 0 for null (KIP-482); older ones a fixed number, -1 for null. */
const compact: Lengths = {read: (from) => from.uvarint() - 1, write: (to, length) => to.uvarint(length + 1), least: 1}
const short: Lengths = {read: (from) => from.int16(), write: (to, length) => to.int16(length), least: 2}
const long: Lengths = {read: (from) => from.int32(), write: (to, length) => to.int32(length), least: 4}

function nullOr<T>(length: number, nullable: boolean, read: () => T): T | null {
  if (length >= 0) return read()
  if (length === -1 && nullable) return null
  throw new ProtocolError(`length ${length}`)
}

const totalLength = (pieces: readonly Buffer[]): number => pieces.reduce((sum, piece) => sum + piece.length, 0)

function stringCodec(lengths: Lengths, nullable: boolean): Codec {
  return {
    read(from) {
      const length = lengths.read(from)
      return nullOr(length, nullable, () => from.string(length))
    },
    write(to, value: string | null) {
      if (value === null && nullable) return lengths.write(to, -1)
      const bytes = Buffer.from(value ?? '')
      lengths.write(to, bytes.length)
      to.raw(bytes)
    },
    least: lengths.least,
    initial: () => (nullable ? null : ''),
  }
}

function bytesCodec(lengths: Lengths, nullable: boolean): Codec {
  return {
    read(from) {
      const length = lengths.read(from)
      return nullOr(length, nullable, () => from.bytes(length))
    },
    write(to, value: Buffer | readonly Buffer[] | null) {
      if (value === null && nullable) return lengths.write(to, -1)
      const pieces = value === null ? [] : Buffer.isBuffer(value) ? [value] : value
      lengths.write(to, totalLength(pieces))
      for (const piece of pieces) to.raw(piece)
    },
    least: lengths.least,
    initial: () => (nullable ? null : Buffer.alloc(0)),
  }
}

function arrayCodec(item: Codec, lengths: Lengths, nullable: boolean): Codec {
  return {
    read(from) {
      const length = lengths.read(from)
      return nullOr(length, nullable, () => {
        from.count(length, Math.max(1, item.least))
        return Array.from({length}, () => item.read(from))
      })
    },
    write(to, value: readonly unknown[] | null) {
      if (value === null && nullable) return lengths.write(to, -1)
      const items = value ?? []
      lengths.write(to, items.length)
      for (const element of items) item.write(to, element)
    },
    least: lengths.least,
    initial: () => (nullable ? null : []),
  }
}

function fieldCodec(field: FieldSchema, version: number, flexible: boolean): Codec {
  const nullable = contains(field.nullable, version)
  const lengths = flexible ? compact : undefined
  if (field.array)
    return arrayCodec(
      fieldCodec({...field, array: undefined as never, nullable: 'none'}, version, flexible),
      lengths ?? long,
      nullable,
    )
  if (Array.isArray(field.type)) return structCodec(field.type, version, flexible)
  if (field.type === 'string') return stringCodec(lengths ?? short, nullable)
  if (field.type === 'bytes' || field.type === 'records') return bytesCodec(lengths ?? long, nullable)
  if (field.type === 'uuid') return uuidCodec
  return numberCodec(field.type as keyof typeof SIZES)
}

/** What a reader sees, and a writer sends, where the version has no such field or the handler left it out. */
function defaultOf(field: FieldSchema, codec: Codec): () => unknown {
  if (field.default === undefined) return codec.initial
  return () => field.default
}

function structCodec(fields: readonly FieldSchema[], version: number, flexible: boolean): Codec {
  const plans = fields.map((field) => {
    const codec = fieldCodec(field, version, flexible)
    const isPresent = contains(field.versions, version)
    const isTagged = isPresent && flexible && contains(field.tagged, version)
    return {name: field.name, tag: field.tag, codec, initial: defaultOf(field, codec), isPresent, isTagged}
  })
  const present = plans.filter(({isPresent, isTagged}) => isPresent && !isTagged)
  const others = plans.filter(({isPresent, isTagged}) => !isPresent || isTagged)
  const tagged = plans.filter(({isTagged}) => isTagged)
  const initial = (): Record<string, unknown> => Object.fromEntries(plans.map((plan) => [plan.name, plan.initial()]))

  function readTags(from: Reader, value: Record<string, unknown>): void {
    const count = from.count(from.uvarint(), 2)
    for (let index = 0; index < count; index++) {
      const tag = from.uvarint()
      const bytes = from.bytes(from.uvarint())
      const plan = tagged.find((candidate) => candidate.tag === tag)
      if (plan) value[plan.name] = plan.codec.read(new Reader(bytes))
    }
  }

  /** A tagged field that has its default is not sent. */
  function writeTags(to: Writer, value: Record<string, unknown>): void {
    const given = tagged.flatMap(({name, tag, codec, initial}) => {
      if (value[name] === undefined) return []
      const bytes = written(codec, value[name])
      return bytes.equals(written(codec, initial())) ? [] : [{tag: tag!, bytes}]
    })
    to.uvarint(given.length)
    for (const {tag, bytes} of given) {
      to.uvarint(tag)
      to.uvarint(bytes.length)
      to.raw(bytes)
    }
  }

  return {
    read(from) {
      const value: Record<string, unknown> = {}
      for (const {name, codec} of present) value[name] = codec.read(from)
      for (const plan of others) value[plan.name] = plan.initial()
      if (flexible) readTags(from, value)
      return value
    },
    write(to, value: Record<string, unknown>) {
      for (const plan of present) plan.codec.write(to, value[plan.name] ?? (value[plan.name] === null ? null : plan.initial()))
      if (flexible) writeTags(to, value)
    },
    least: present.reduce((sum, {codec}) => sum + codec.least, flexible ? 1 : 0),
    initial,
  }
}

function written(codec: Codec, value: unknown): Buffer {
  const writer = new Writer()
  codec.write(writer, value)
  return Buffer.concat(writer.chunks())
}

type Side = 'request' | 'response'
const codecs = new Map<string, Codec>()

function codecOf(key: number, side: Side, version: number): Codec {
  const id = `${side} ${key} ${version}`
  let codec = codecs.get(id)
  if (!codec) {
    const schema = messages[key]
    if (!schema) throw new ProtocolError(`unknown API key ${key}`)
    codec = structCodec(schema[side], version, isFlexible(key, version))
    codecs.set(id, codec)
  }
  return codec
}

/** Whether that version of the API uses compact lengths and tagged fields. */
export const isFlexible = (key: number, version: number): boolean => contains(messages[key]?.flexible, version)

/** Reads a body. Bytes after its end are left alone, as Kafka does: librdkafka 2.16 sends some after Metadata. Throws ProtocolError. */
export function decode<Message>(key: number, side: Side, version: number, from: Reader): Message {
  return codecOf(key, side, version).read(from) as Message
}

/** Appends a body. Fields that the message leaves out take their defaults. */
export function encode(key: number, side: Side, version: number, message: object, to: Writer): void {
  codecOf(key, side, version).write(to, message)
}

export type RequestHeader = {apiKey: number; apiVersion: number; correlationId: number; clientId: string | null}

/** Request header v1, or v2 where the version is flexible. The client id keeps its old form in both (KIP-482). */
export function decodeRequestHeader(from: Reader): RequestHeader {
  const header = {apiKey: from.int16(), apiVersion: from.int16(), correlationId: from.int32()}
  const length = from.int16()
  const clientId = nullOr(length, true, () => from.string(length))
  if (isFlexible(header.apiKey, header.apiVersion)) skipTags(from)
  return {...header, clientId}
}

function skipTags(from: Reader): void {
  const count = from.count(from.uvarint(), 2)
  for (let index = 0; index < count; index++) {
    from.uvarint()
    from.skip(from.uvarint())
  }
}

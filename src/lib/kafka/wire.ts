/**
 * Kafka's primitive types, big-endian, as the versions below KIP-482 ("flexible versions") write them. All requests that
 * we send ourselves are of such versions. 64-bit integers are numbers: offsets, timestamps and producer ids stay below 2^53.
 */
export class Writer {
  private readonly parts: Buffer[] = []

  int8(value: number): this {
    const part = Buffer.allocUnsafe(1)
    part.writeInt8(value)
    return this.raw(part)
  }

  bool(value: boolean): this {
    return this.int8(value ? 1 : 0)
  }

  int16(value: number): this {
    const part = Buffer.allocUnsafe(2)
    part.writeInt16BE(value)
    return this.raw(part)
  }

  int32(value: number): this {
    const part = Buffer.allocUnsafe(4)
    part.writeInt32BE(value)
    return this.raw(part)
  }

  int64(value: number): this {
    const part = Buffer.allocUnsafe(8)
    part.writeBigInt64BE(BigInt(value))
    return this.raw(part)
  }

  string(value: string | null): this {
    if (value === null) return this.int16(-1)
    const part = Buffer.from(value)
    return this.int16(part.length).raw(part)
  }

  bytes(value: Buffer): this {
    return this.int32(value.length).raw(value)
  }

  array<T>(items: readonly T[] | null, write: (item: T) => unknown): this {
    this.int32(items?.length ?? -1)
    for (const item of items ?? []) write(item)
    return this
  }

  raw(part: Buffer): this {
    this.parts.push(part)
    return this
  }

  finish(): Buffer {
    return Buffer.concat(this.parts)
  }
}

/** Reads what `Writer` writes. Every read past the end throws RangeError, and counts are believed only as far as there are bytes. */
export class Reader {
  private readonly buffer: Buffer
  private at = 0

  constructor(buffer: Buffer) {
    this.buffer = buffer
  }

  private take(size: number): number {
    const start = this.at
    if (size < 0 || start + size > this.buffer.length)
      throw new RangeError(`response ends ${start + size - this.buffer.length} bytes early`)
    this.at += size
    return start
  }

  int8(): number {
    return this.buffer.readInt8(this.take(1))
  }

  bool(): boolean {
    return this.int8() !== 0
  }

  int16(): number {
    return this.buffer.readInt16BE(this.take(2))
  }

  int32(): number {
    return this.buffer.readInt32BE(this.take(4))
  }

  int64(): number {
    return Number(this.buffer.readBigInt64BE(this.take(8)))
  }

  nullableString(): string | null {
    const length = this.int16()
    if (length === -1) return null
    const start = this.take(length)
    return this.buffer.toString('utf8', start, start + length)
  }

  string(): string {
    return this.nullableString() ?? ''
  }

  /** A view, not a copy. Null is read as empty. */
  bytes(): Buffer {
    const length = this.int32()
    if (length === -1) return this.buffer.subarray(0, 0)
    const start = this.take(length)
    return this.buffer.subarray(start, start + length)
  }

  /** Null is read as empty. */
  array<T>(read: () => T): T[] {
    const count = this.int32()
    if (count > this.buffer.length - this.at) throw new RangeError(`response claims ${count} items`)
    const items: T[] = []
    for (let i = 0; i < count; i++) items.push(read())
    return items
  }
}

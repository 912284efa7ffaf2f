import {crc32, deflateRawSync} from 'node:zlib'

export type ZipEntry = {
  name: string
  content?: string | Buffer
  /** Unix mode with its type, such as 0o120777 for a link. */
  mode?: number
  stored?: boolean
  /** What the archive says instead of the truth. */
  claims?: {size?: number; crc?: number; flags?: number; method?: number}
}

/** A zip archive made entry by entry, as told, lies included. */
export function zipArchive(entries: readonly ZipEntry[]): Buffer {
  const bodies: Buffer[] = []
  const directory: Buffer[] = []
  let at = 0
  for (const {name, content = '', mode = 0o100644, stored = false, claims = {}} of entries) {
    const bytes = Buffer.from(content)
    const packed = stored ? bytes : deflateRawSync(bytes)
    const nameBytes = Buffer.from(name)
    const common = Buffer.alloc(26)
    common.writeUInt16LE(20, 0)
    common.writeUInt16LE(claims.flags ?? 0x0800, 2)
    common.writeUInt16LE(claims.method ?? (stored ? 0 : 8), 4)
    common.writeUInt32LE(claims.crc ?? crc32(bytes), 10)
    common.writeUInt32LE(packed.length, 14)
    common.writeUInt32LE(claims.size ?? bytes.length, 18)
    common.writeUInt16LE(nameBytes.length, 22)
    const local = Buffer.concat([uint32(0x04034b50), common, nameBytes, packed])
    const rest = Buffer.alloc(14)
    rest.writeUInt32LE((mode << 16) >>> 0, 6)
    rest.writeUInt32LE(at, 10)
    directory.push(Buffer.concat([uint32(0x02014b50), Buffer.from([20, 3]), common, rest, nameBytes]))
    bodies.push(local)
    at += local.length
  }
  const central = Buffer.concat(directory)
  const end = Buffer.alloc(22)
  end.writeUInt32LE(0x06054b50, 0)
  end.writeUInt16LE(entries.length, 8)
  end.writeUInt16LE(entries.length, 10)
  end.writeUInt32LE(central.length, 12)
  end.writeUInt32LE(at, 16)
  return Buffer.concat([...bodies, central, end])
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32LE(value)
  return bytes
}

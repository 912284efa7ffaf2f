import {promisify} from 'node:util'
import {crc32, deflateRaw as deflateRawCallback} from 'node:zlib'

const deflateRaw = promisify<Buffer, {level: number}, Buffer>(deflateRawCallback)

export type ZipFile = {
  /** Relative, with slashes. */
  name: string
  content: Buffer
}

// Fields and their order are those of PKWARE's APPNOTE.TXT 6.3.10, 4.3.
const LOCAL_SIGNATURE = 0x04034b50
const CENTRAL_SIGNATURE = 0x02014b50
const END_SIGNATURE = 0x06054b50
const LOCAL_BYTES = 30
const CENTRAL_BYTES = 46
const END_BYTES = 22
const VERSION = 20
const MADE_ON_UNIX = (3 << 8) | VERSION
const NAME_IS_UTF8 = 0x0800
const DEFLATED = 8
/** 1980-01-01, the first day that the format knows, at midnight. */
const DATE = (1 << 5) | 1
/** A regular file that everybody may read: Lambda runs as a user of its own. */
const MODE = 0o100644

/**
 * The archive of `files`, whose bytes depend on their names and contents alone: sorted by name, one time, one mode. At most
 * 65,535 files and 4 GiB; throws RangeError beyond, or when a name comes twice.
 */
export async function zip(files: readonly ZipFile[]): Promise<Buffer> {
  if (files.length > 0xffff) throw new RangeError(`a zip holds at most 65535 files, not ${files.length}`)
  const sorted = [...files].sort((a, b) => (a.name < b.name ? -1 : 1))
  const twice = sorted.find(({name}, index) => name === sorted[index + 1]?.name)
  if (twice) throw new RangeError(`"${twice.name}" comes twice`)

  const locals: Buffer[] = []
  const centrals: Buffer[] = []
  let at = 0
  for (const {name, content} of sorted) {
    const entry = {name: Buffer.from(name), content, packed: await deflateRaw(content, {level: 9}), at}
    const local = Buffer.concat([localHeader(entry), entry.packed])
    at += local.length
    locals.push(local)
    centrals.push(centralHeader(entry))
  }
  const directory = Buffer.concat(centrals)
  return Buffer.concat([...locals, directory, end(sorted.length, directory.length, at)])
}

type Entry = {name: Buffer; content: Buffer; packed: Buffer; at: number}

/** What both headers of a file say, from the version needed to the length of the extra field. */
function common({name, content, packed}: Entry): Buffer {
  const fields = Buffer.alloc(26)
  fields.writeUInt16LE(VERSION, 0)
  fields.writeUInt16LE(NAME_IS_UTF8, 2)
  fields.writeUInt16LE(DEFLATED, 4)
  fields.writeUInt16LE(DATE, 8)
  fields.writeUInt32LE(crc32(content), 10)
  fields.writeUInt32LE(packed.length, 14)
  fields.writeUInt32LE(content.length, 18)
  fields.writeUInt16LE(name.length, 22)
  return fields
}

function localHeader(entry: Entry): Buffer {
  const header = Buffer.alloc(LOCAL_BYTES)
  header.writeUInt32LE(LOCAL_SIGNATURE, 0)
  common(entry).copy(header, 4)
  return Buffer.concat([header, entry.name])
}

function centralHeader(entry: Entry): Buffer {
  const header = Buffer.alloc(CENTRAL_BYTES)
  header.writeUInt32LE(CENTRAL_SIGNATURE, 0)
  header.writeUInt16LE(MADE_ON_UNIX, 4)
  common(entry).copy(header, 6)
  header.writeUInt32LE(MODE * 0x10000, 38)
  header.writeUInt32LE(entry.at, 42)
  return Buffer.concat([header, entry.name])
}

function end(files: number, bytes: number, at: number): Buffer {
  const record = Buffer.alloc(END_BYTES)
  record.writeUInt32LE(END_SIGNATURE, 0)
  record.writeUInt16LE(files, 8)
  record.writeUInt16LE(files, 10)
  record.writeUInt32LE(bytes, 12)
  record.writeUInt32LE(at, 16)
  return record
}

import {mkdir, writeFile} from 'node:fs/promises'
import {dirname, join} from 'node:path'
import {promisify} from 'node:util'
import {crc32, inflateRaw as inflateRawCallback} from 'node:zlib'

const inflateRaw = promisify(inflateRawCallback)

/** Lambda's own limit for the unpacked package. */
const MAX_UNPACKED_BYTES = 262_144_000
const MAX_ENTRIES = 10_000

/** Why an archive is not unpacked; `tooLarge` tells the one reason that Lambda has a text of its own for. */
export class ZipError extends Error {
  override readonly name = 'ZipError'
  readonly tooLarge: boolean

  constructor(message: string, {tooLarge = false} = {}) {
    super(message)
    this.tooLarge = tooLarge
  }
}

type Entry = {
  name: string
  method: number
  crc: number
  packedBytes: number
  unpackedBytes: number
  headerAt: number
  isDirectory: boolean
  isExecutable: boolean
}

// Field offsets are those of PKWARE's APPNOTE.TXT 6.3.10, 4.3.
const END_SIGNATURE = 0x06054b50
const END_BYTES = 22
const CENTRAL_SIGNATURE = 0x02014b50
const CENTRAL_BYTES = 46
const LOCAL_SIGNATURE = 0x04034b50
const LOCAL_BYTES = 30
const STORED = 0
const DEFLATED = 8
const ENCRYPTED = 0x0001
/** Systems whose external attributes begin with a Unix mode. */
const UNIX = [3, 19]
const TYPE_MASK = 0o170000
const REGULAR = 0o100000
const DIRECTORY = 0o040000

/**
 * Unpacks `archive` into `dir`, which must be there and empty. Only files and directories come out of it, below `dir`,
 * whatever the archive says: at most 10,000 entries and 262,144,000 bytes, counted while they are inflated.
 * @throws ZipError
 */
export async function unzip(archive: Buffer, dir: string): Promise<void> {
  let left = MAX_UNPACKED_BYTES
  for (const entry of readEntries(archive)) {
    const path = join(dir, ...entry.name.split('/'))
    if (entry.isDirectory) await create(() => mkdir(path, {recursive: true, mode: 0o700}), entry)
    else {
      const content = await contentOf(entry, archive, left)
      left -= content.length
      await create(async () => {
        await mkdir(dirname(path), {recursive: true, mode: 0o700})
        // Two entries of one name are refused, also where the file system does not tell upper from lower case.
        await writeFile(path, content, {flag: 'wx', mode: entry.isExecutable ? 0o700 : 0o600})
      }, entry)
    }
  }
}

async function create(make: () => Promise<unknown>, {name}: Entry): Promise<void> {
  try {
    await make()
  } catch (error) {
    const {code} = error as NodeJS.ErrnoException
    if (!['EEXIST', 'ENOTDIR', 'EISDIR', 'ENAMETOOLONG', 'EINVAL'].includes(code ?? '')) throw error
    throw new ZipError(`"${name}" is there twice, or has no name that a file can have`)
  }
}

function readEntries(archive: Buffer): Entry[] {
  const end = findEnd(archive)
  const count = archive.readUInt16LE(end + 10)
  if (archive.readUInt16LE(end + 4) !== 0 || archive.readUInt16LE(end + 8) !== count) throw new ZipError('it is in several parts')
  if (count > MAX_ENTRIES) throw new ZipError(`it has ${count} entries, more than ${MAX_ENTRIES}`)
  const entries: Entry[] = []
  let at = archive.readUInt32LE(end + 16)
  for (let index = 0; index < count; index++) {
    if (at + CENTRAL_BYTES > end || archive.readUInt32LE(at) !== CENTRAL_SIGNATURE) throw new ZipError('its directory is damaged')
    const nameEnd = at + CENTRAL_BYTES + archive.readUInt16LE(at + 28)
    if (nameEnd > end) throw new ZipError('its directory is damaged')
    entries.push(readEntry(archive, at, nameEnd))
    at = nameEnd + archive.readUInt16LE(at + 30) + archive.readUInt16LE(at + 32)
  }
  return entries
}

/** The end record lies before a comment of at most 65,535 bytes. */
function findEnd(archive: Buffer): number {
  for (let at = archive.length - END_BYTES; at >= Math.max(0, archive.length - END_BYTES - 0xffff); at--) {
    if (archive.readUInt32LE(at) === END_SIGNATURE && at + END_BYTES + archive.readUInt16LE(at + 20) === archive.length) return at
  }
  throw new ZipError('it is not a zip archive')
}

function readEntry(archive: Buffer, at: number, nameEnd: number): Entry {
  const rawName = readName(archive.subarray(at + CENTRAL_BYTES, nameEnd))
  const name = rawName.replace(/\/$/, '')
  const flags = archive.readUInt16LE(at + 8)
  const mode = UNIX.includes(archive.readUInt8(at + 5)) ? archive.readUInt16LE(at + 40) : 0
  const type = mode & TYPE_MASK
  const isDirectory = rawName.endsWith('/')
  checkName(name)
  if (![0, isDirectory ? DIRECTORY : REGULAR].includes(type)) throw new ZipError(`"${name}" is a link or a device`)
  if ((flags & ENCRYPTED) !== 0) throw new ZipError(`"${name}" is encrypted`)
  return {
    name,
    isDirectory,
    isExecutable: (mode & 0o100) !== 0,
    method: archive.readUInt16LE(at + 10),
    crc: archive.readUInt32LE(at + 16),
    packedBytes: archive.readUInt32LE(at + 20),
    unpackedBytes: archive.readUInt32LE(at + 24),
    headerAt: archive.readUInt32LE(at + 42),
  }
}

function readName(bytes: Buffer): string {
  try {
    return new TextDecoder('utf-8', {fatal: true, ignoreBOM: true}).decode(bytes)
  } catch {
    throw new ZipError('a name in it is not UTF-8')
  }
}

/** Refused rather than cured: whoever writes such a name means to leave the directory. */
function checkName(name: string): void {
  const isHostile = name.includes('\\') || name.includes('\0') || /^[a-zA-Z]:/.test(name)
  if (isHostile || name.split('/').some((part) => part === '' || part === '.' || part === '..')) {
    throw new ZipError(`"${name}" is no relative path`)
  }
}

async function contentOf(entry: Entry, archive: Buffer, left: number): Promise<Buffer> {
  const {name, method, crc, packedBytes, unpackedBytes, headerAt} = entry
  if (headerAt + LOCAL_BYTES > archive.length || archive.readUInt32LE(headerAt) !== LOCAL_SIGNATURE) {
    throw new ZipError(`"${name}" is not where the directory says`)
  }
  const start = headerAt + LOCAL_BYTES + archive.readUInt16LE(headerAt + 26) + archive.readUInt16LE(headerAt + 28)
  if (start + packedBytes > archive.length) throw new ZipError(`"${name}" is cut off`)
  if (unpackedBytes > left) throw new ZipError(`it unpacks to more than ${MAX_UNPACKED_BYTES} bytes`, {tooLarge: true})
  const content = await unpack(archive.subarray(start, start + packedBytes), method, entry)
  if (content.length !== unpackedBytes || crc32(content) !== crc) throw new ZipError(`"${name}" is damaged`)
  return content
}

async function unpack(packed: Buffer, method: number, {name, unpackedBytes}: Entry): Promise<Buffer> {
  if (method === STORED) return packed
  if (method !== DEFLATED) throw new ZipError(`"${name}" is packed by method ${method}, where only deflate is known`)
  try {
    // One byte more than it says would be too many; zlib wants at least one.
    return await inflateRaw(packed, {maxOutputLength: Math.max(unpackedBytes, 1)})
  } catch {
    throw new ZipError(`"${name}" is damaged`)
  }
}

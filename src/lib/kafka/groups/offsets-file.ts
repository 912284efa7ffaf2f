import {mkdir, readFile, writeFile} from 'node:fs/promises'
import {dirname, join} from 'node:path'

import {SkkError} from '../../errors.js'

/** `offset` is null where nothing was committed. */
export type SavedOffset = {topic: string; partition: number; offset: number | null}

/** The committed offsets of a group at a time, as a file: what a reset writes to be undone, and what it can be given. */
type OffsetsFile = {version: 1; group: string; cluster: string; savedAt: string; offsets: readonly SavedOffset[]}

/** Writes a new file that only its owner may read; never over another one. Throws SkkError (local I/O). */
async function writeOffsetsFile(path: string, content: OffsetsFile): Promise<void> {
  try {
    await mkdir(dirname(path), {recursive: true, mode: 0o700})
    await writeFile(path, `${JSON.stringify(content, null, 2)}\n`, {mode: 0o600, flag: 'wx'})
  } catch (cause) {
    throw new SkkError(`cannot write "${path}": ${(cause as Error).message}`, {
      code: 'UNDO_NOT_WRITTEN',
      exit: 'localIo',
      hint: 'Nothing was changed; make room, or give another place with `--undo-file`.',
      cause,
    })
  }
}

type Undo = {
  group: string
  cluster: string
  /** What is going to be changed. */
  moves: readonly {topic: string; partition: number; prior: number | null}[]
}

/**
 * Writes what is committed now, so that a change of it can be undone; to a new file of `directory` unless `path` is given. Returns
 * where. Throws SkkError (local I/O).
 */
export async function writeUndoFile({group, cluster, moves}: Undo, directory: string, path?: string): Promise<string> {
  const savedAt = new Date().toISOString()
  const name = `${encodeURIComponent(group).replaceAll('.', '%2E').slice(0, 100)}-${savedAt.replaceAll(':', '')}.json`
  const file = path ?? join(directory, name)
  const offsets = moves.map(({topic, partition, prior}) => ({topic, partition, offset: prior}))
  await writeOffsetsFile(file, {version: 1, group, cluster, savedAt, offsets})
  return file
}

/** The offsets in a file. Only `offsets` has to be there. Throws SkkError (local I/O, also for bad data). */
export async function readOffsetsFile(path: string): Promise<{group: string | null; offsets: SavedOffset[]}> {
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (cause) {
    throw new SkkError(`cannot read "${path}": ${(cause as Error).message}`, {code: 'INPUT_UNREADABLE', exit: 'localIo', cause})
  }
  const content = parsed(text, path)
  const offsets: unknown = content['offsets']
  if (!Array.isArray(offsets)) throw badFile(path, 'it has no list "offsets"')
  const seen = new Set<string>()
  for (const [at, offset] of offsets.entries()) {
    if (!isSavedOffset(offset)) throw badFile(path, `entry ${at + 1} is not {"topic": …, "partition": …, "offset": …}`)
    const key = `${offset.partition} ${offset.topic}`
    if (seen.has(key)) throw badFile(path, `topic "${offset.topic}", partition ${offset.partition}, is there twice`)
    seen.add(key)
  }
  return {group: typeof content['group'] === 'string' ? content['group'] : null, offsets: offsets as SavedOffset[]}
}

function parsed(text: string, path: string): Record<string, unknown> {
  try {
    const content: unknown = JSON.parse(text)
    if (typeof content === 'object' && content !== null) return content as Record<string, unknown>
  } catch (cause) {
    throw badFile(path, (cause as Error).message)
  }
  throw badFile(path, 'it is no JSON object')
}

function isSavedOffset(value: unknown): value is SavedOffset {
  if (typeof value !== 'object' || value === null) return false
  const {topic, partition, offset} = value as Record<string, unknown>
  return typeof topic === 'string' && isNatural(partition) && (offset === null || isNatural(offset))
}

const isNatural = (value: unknown): boolean => Number.isSafeInteger(value) && (value as number) >= 0

const badFile = (path: string, reason: string): SkkError =>
  new SkkError(`"${path}" does not hold the offsets of a group: ${reason}`, {
    code: 'BAD_OFFSETS_FILE',
    exit: 'localIo',
    hint: 'Write {"offsets": [{"topic": "orders", "partition": 0, "offset": 42}]}, or use the file that an earlier reset wrote.',
  })

import {constants} from 'node:fs'
import {type FileHandle, open, readFile, rename} from 'node:fs/promises'
import {dirname, resolve} from 'node:path'

import {SkkError} from '../../errors.js'
import {type LockErrors, takeLock} from '../file-lock.js'
import {appendingTo, type Output, unwritable} from './output.js'

/**
 * A checkpoint is a small file beside the output file. It says how long the output file was at one moment and which offset of each
 * partition came next then, in one:
 *
 *     {"version": 1, "cluster": "…", "topic": "orders", "shape": "…", "outputBytes": 1234, "offsets": {"0": 41, "1": 40}}
 *
 * Whenever a run ends, whether killed or with the machine, the next one cuts the output file to `outputBytes` and goes on at `offsets`:
 * no line is lost and none is there twice. That needs this order of writes:
 *
 * 1. lines are appended to the output file;
 * 2. the output file is synced, so that at least the bytes that step 3 counts are on the disk;
 * 3. the new checkpoint is written to `FILE.tmp` and synced;
 * 4. `FILE.tmp` is renamed to `FILE`, in one step for whoever reads it;
 * 5. their directory is synced, without which the rename may be undone.
 *
 * A crash before 4 leaves the checkpoint before it, whose bytes step 2 of that time made safe; what is longer is cut. The very first
 * checkpoint, with no bytes, is written before the first line, and once the empty output file is on the disk.
 */
type Saved = Identity & {version: 1; outputBytes: number; offsets: Record<string, number>}

/** What has to be the same for a run to go on where another one stopped. `shape` is how its lines are chosen and written. */
type Identity = {cluster: string | null; topic: string; shape: string}

export type Checkpoint = {
  output: Output
  /** The next offset of each partition, as of the last checkpoint; empty at the first run. */
  offsets: ReadonlyMap<number, number>
  /** Makes what is in the output file now the state to go on from, with these next offsets. */
  save(progress: ReadonlyMap<number, number>): Promise<void>
  /** Closes both files, and lets others use them. */
  close(): Promise<void>
}

/**
 * Opens the checkpoint and its output file, cut to where the checkpoint was made; both are made, or emptied, where there is no
 * checkpoint yet. Throws SkkError: conflict when another run uses it or it belongs to something else, local I/O.
 */
export async function openCheckpoint(path: string, outputFile: string, identity: Identity): Promise<Checkpoint> {
  const unlock = await takeLock(`${path}.lock`, lockErrors(path))
  try {
    const saved = await readSaved(path)
    if (saved) refuseOther(saved, identity, path)
    const file = await openOutput(outputFile, saved?.outputBytes ?? null)
    const output = appendingTo(file, outputFile, saved?.outputBytes ?? 0)
    const offsets = new Map(Object.entries(saved?.offsets ?? {}).map(([partition, offset]) => [Number(partition), offset]))
    const write = async (next: Saved): Promise<void> => {
      await file.datasync().catch((error) => {
        throw unwritable(outputFile, error)
      })
      await replace(path, next)
    }
    let saving: Promise<void> = Promise.resolve()
    return {
      output,
      offsets,
      save(progress) {
        for (const [partition, offset] of progress) offsets.set(partition, offset)
        // As it is now: more may be written while this waits for the disk.
        const next: Saved = {version: 1, ...identity, outputBytes: output.length(), offsets: Object.fromEntries(offsets)}
        saving = saving.then(() => write(next))
        return saving
      },
      async close() {
        await saving.catch(() => {})
        await output.close().finally(unlock)
      },
    }
  } catch (error) {
    unlock()
    throw error
  }
}

async function readSaved(path: string): Promise<Saved | null> {
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw unreadable(path, (error as Error).message, error)
  }
  const saved = parsed(text)
  if (!saved) throw unreadable(path, 'it is no checkpoint of this version of skk')
  return saved
}

function parsed(text: string): Saved | null {
  try {
    const saved = JSON.parse(text) as Saved
    const numbers = [saved.outputBytes, ...Object.values(saved.offsets)]
    return saved.version === 1 && numbers.every((number) => Number.isSafeInteger(number) && number >= 0) ? saved : null
  } catch {
    return null
  }
}

function refuseOther(saved: Saved, identity: Identity, path: string): void {
  const other = (['cluster', 'topic', 'shape'] as const).find((name) => saved[name] !== identity[name])
  if (!other) return
  const what = {
    cluster: 'was made by reading another cluster',
    topic: `is about topic "${saved.topic}"`,
    shape: `was made with other flags for what is written: ${saved.shape}`,
  }[other]
  throw new SkkError(`the checkpoint "${path}" ${what}`, {
    code: 'CHECKPOINT_MISMATCH',
    exit: 'conflict',
    hint: 'Give another `--checkpoint` and another `--output-file`, or the flags that it was made with.',
  })
}

/** `length` is null when the file is to be empty. */
async function openOutput(path: string, length: number | null): Promise<FileHandle> {
  const create = length === null ? constants.O_CREAT : 0
  const file = await open(path, constants.O_WRONLY | constants.O_APPEND | create, 0o666).catch((error) => {
    throw unwritable(path, error)
  })
  try {
    const stats = await file.stat()
    if (!stats.isFile()) throw refused(path, 'is no file that could be cut')
    if (length !== null && stats.size < length)
      throw refused(path, `has ${stats.size} bytes, fewer than the ${length} of its checkpoint`)
    await file.truncate(length ?? 0)
    await file.sync()
    await syncDirectory(dirname(resolve(path)))
    return file
  } catch (error) {
    await file.close()
    throw error
  }
}

const refused = (path: string, why: string): SkkError =>
  new SkkError(`the output file "${path}" ${why}`, {
    code: 'OUTPUT_CHANGED',
    exit: 'localIo',
    hint: 'Remove the checkpoint to begin anew, or put the file back.',
  })

async function replace(path: string, saved: Saved): Promise<void> {
  try {
    const file = await open(`${path}.tmp`, 'w', 0o600)
    try {
      await file.writeFile(`${JSON.stringify(saved)}\n`)
      await file.datasync()
    } finally {
      await file.close()
    }
    await rename(`${path}.tmp`, path)
    await syncDirectory(dirname(resolve(path)))
  } catch (error) {
    throw unwritable(path, error as NodeJS.ErrnoException)
  }
}

async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r')
  try {
    await directory.sync()
  } finally {
    await directory.close()
  }
}

/** One run at a time: two would write one output file. */
const lockErrors = (path: string): LockErrors => ({
  held: (pid) =>
    new SkkError(`the checkpoint "${path}" is used by the process with pid ${pid}`, {
      code: 'CHECKPOINT_IN_USE',
      exit: 'conflict',
      hint: 'Wait until it has ended, or give another `--checkpoint` and another `--output-file`.',
    }),
  unwritable: (cause) => unwritable(`${path}.lock`, cause),
})

const unreadable = (path: string, why: string, cause?: unknown): SkkError =>
  new SkkError(`cannot read the checkpoint "${path}": ${why}`, {
    code: 'CHECKPOINT_UNREADABLE',
    exit: 'localIo',
    hint: 'Remove it to begin anew.',
    cause,
  })

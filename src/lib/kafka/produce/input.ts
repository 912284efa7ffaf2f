import type {Stats} from 'node:fs'
import {readdir, stat} from 'node:fs/promises'
import {join} from 'node:path'

import {SkkError} from '../../errors.js'
import type {Reader} from './reader.js'

/** One file to read, or standard input. */
export type Source = {
  name: string
  /** Null for what has no size, such as a pipe. */
  bytes: number | null
  /** When a file was last changed, in epoch milliseconds. */
  modified: number | null
  /** Makes the bytes, where they are in no file. */
  open?(): Reader
}

export const STANDARD_INPUT = 'standard input'

/** What skk leaves beside an input is no input. */
const OWN_FILES = /\.skk-resume(\.journal|\.lock|\.tmp)?$/

/**
 * The inputs that `--file` names, `-` being standard input and a directory all its files by name, each checked to be readable
 * before anything is sent. Throws SkkError (local I/O).
 */
export async function sources(files: readonly string[]): Promise<Source[]> {
  return (await Promise.all(files.map(sourcesOf))).flat()
}

async function sourcesOf(name: string): Promise<Source[]> {
  if (name === '-') return [{name: STANDARD_INPUT, bytes: null, modified: null}]
  const found = await statOf(name)
  if (!found.isDirectory()) return [sourceOf(name, found)]
  const entries = await readdir(name).catch((error) => {
    throw unreadable(name, error)
  })
  const visible = entries.filter((entry) => !entry.startsWith('.') && !OWN_FILES.test(entry)).sort()
  const paths = visible.map((entry) => join(name, entry))
  const all = await Promise.all(paths.map(async (path) => ({path, stats: await statOf(path)})))
  return all.filter(({stats}) => stats.isFile()).map(({path, stats}) => sourceOf(path, stats))
}

const sourceOf = (name: string, stats: Stats): Source =>
  stats.isFile() ? {name, bytes: stats.size, modified: stats.mtimeMs} : {name, bytes: null, modified: null}

async function statOf(name: string): Promise<Stats> {
  return stat(name).catch((error) => {
    throw unreadable(name, error)
  })
}

/** For an input that cannot be read. */
export const unreadable = (name: string, cause: NodeJS.ErrnoException): SkkError =>
  new SkkError(`cannot read "${name}": ${cause.code === 'ENOENT' ? 'no such file' : cause.message}`, {
    code: 'INPUT_UNREADABLE',
    exit: 'localIo',
    hint: 'Check `--file`.',
    cause,
  })

/** For an input that is not what it was. */
export const changed = (name: string, since: string): SkkError =>
  new SkkError(`"${name}" has changed ${since}`, {
    code: 'INPUT_CHANGED',
    exit: 'localIo',
    hint: 'Put the file back as it was, or begin anew with `--restart`, which sends everything again.',
  })

import {chmod, lstat, mkdir, mkdtemp, readdir, rename, rm, rmdir, writeFile} from 'node:fs/promises'
import {dirname, join, resolve} from 'node:path'

import {SkkError} from '../errors.js'
import type {Files} from './project.js'

/**
 * Makes the project: whole in a temporary directory beside it, then renamed. Throws SkkError (conflict) when the directory is there
 * and not empty, unless `force`, and always when a link stands where a file goes: it could lead out of the directory.
 */
export async function writeProject(files: Files, directory: string, {force = false} = {}): Promise<void> {
  const target = resolve(directory)
  const isNew = await refuseOccupied(target, force)
  if (!isNew) await refuseLinks(files, target)
  try {
    await mkdir(dirname(target), {recursive: true})
    const made = await mkdtemp(join(dirname(target), '.skk-scaffold-'))
    try {
      await writeAll(files, made)
      await (isNew ? takePlace(made, target) : mergeInto(files, made, target))
    } finally {
      await rm(made, {recursive: true, force: true})
    }
  } catch (error) {
    if (error instanceof SkkError) throw error
    throw new SkkError(`cannot write "${directory}": ${(error as Error).message}`, {
      code: 'WRITE_FAILED',
      exit: 'localIo',
      cause: error,
    })
  }
}

/** Throws SkkError when the project cannot go there. Returns whether there is nothing yet, or an empty directory. */
export async function refuseOccupied(target: string, force: boolean): Promise<boolean> {
  const found = await lstat(target).catch(() => undefined)
  if (!found) return true
  if (found.isSymbolicLink()) throw occupied(target, 'is a link', 'Name the directory that it leads to.')
  if (!found.isDirectory()) throw occupied(target, 'is a file', 'Name another directory.')
  const isEmpty = (await readdir(target)).length === 0
  if (isEmpty || force) return isEmpty
  throw occupied(target, 'is not empty', 'Name another directory, or write into this one with `--force`.')
}

async function refuseLinks(files: Files, target: string): Promise<void> {
  const places = new Set([...files.keys()].flatMap(withParents))
  for (const place of places) {
    const found = await lstat(join(target, place)).catch(() => undefined)
    if (found?.isSymbolicLink()) throw occupied(join(target, place), 'is a link', 'Remove it, or name another directory.')
    if (found && found.isDirectory() === files.has(place))
      throw occupied(join(target, place), 'is in the way', 'Remove it, or name another directory.')
  }
}

/** `a/b/c` → `a`, `a/b`, `a/b/c`. */
const withParents = (path: string): string[] => path.split('/').map((_, index, parts) => parts.slice(0, index + 1).join('/'))

async function writeAll(files: Files, directory: string): Promise<void> {
  for (const [path, text] of files) {
    await mkdir(dirname(join(directory, path)), {recursive: true})
    await writeFile(join(directory, path), text, {flag: 'wx'})
  }
}

/** `mkdtemp` makes directories that nobody else may read; a project is like any other. */
async function takePlace(made: string, target: string): Promise<void> {
  await rmdir(target).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error
  })
  await rename(made, target)
  await chmod(target, 0o777 & ~process.umask())
}

async function mergeInto(files: Files, made: string, target: string): Promise<void> {
  for (const path of files.keys()) {
    await mkdir(dirname(join(target, path)), {recursive: true})
    await rename(join(made, path), join(target, path))
  }
}

const occupied = (path: string, why: string, hint: string): SkkError =>
  new SkkError(`"${path}" ${why}`, {code: 'DIRECTORY_OCCUPIED', exit: 'conflict', hint})

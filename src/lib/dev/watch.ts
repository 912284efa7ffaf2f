import {type FSWatcher, readdirSync, watch} from 'node:fs'
import {join} from 'node:path'

const SETTLE_MS = 100
const DIRECTORIES = 1_000
/** What a handler reads as code; what it writes beside itself must not restart it. */
const SOURCE = /\.(?:[cm]?[jt]s|json)$/

/**
 * Calls `onChange` when a source file of `dir` has changed, once for changes at about the same time; below it too when
 * `recursive`, without hidden directories and node_modules, at most 1,000 directories. Returns how to stop.
 */
export function watchSources(dir: string, {recursive}: {recursive: boolean}, onChange: () => void): () => void {
  const watchers = new Map<string, FSWatcher>()
  let timer: NodeJS.Timeout | undefined
  const changed = () => {
    clearTimeout(timer)
    timer = setTimeout(() => {
      for (const directory of directoriesOf(dir, recursive)) add(directory)
      onChange()
    }, SETTLE_MS)
  }
  const add = (directory: string) => {
    if (watchers.has(directory)) return
    const watcher = watch(directory, (_, name) => {
      // A name without extension may be a directory that was made.
      if (name === null || SOURCE.test(name) || (recursive && !name.includes('.') && name !== 'node_modules')) changed()
    })
    const drop = () => {
      watcher.close()
      watchers.delete(directory)
    }
    watchers.set(directory, watcher.on('error', drop))
  }
  for (const directory of directoriesOf(dir, recursive)) add(directory)
  return () => {
    clearTimeout(timer)
    for (const watcher of watchers.values()) watcher.close()
  }
}

function directoriesOf(dir: string, recursive: boolean): string[] {
  const found = [dir]
  // The list grows while it is walked.
  for (const directory of recursive ? found : []) {
    for (const entry of entriesOf(directory)) {
      const isOurs = entry.isDirectory() && !entry.name.startsWith('.') && entry.name !== 'node_modules'
      if (isOurs && found.length < DIRECTORIES) found.push(join(directory, entry.name))
    }
  }
  return found
}

function entriesOf(directory: string) {
  try {
    return readdirSync(directory, {withFileTypes: true})
  } catch {
    return []
  }
}

import {existsSync} from 'node:fs'
import {readFile} from 'node:fs/promises'
import {dirname, join} from 'node:path'

import {SkkError} from '../errors.js'
import {nearest} from '../nearest.js'

/** What a project may say about itself. It comes with a cloned repository, so it can only choose among what is the user's own. */
export type Project = {file: string; context?: string; topic?: string; group?: string; template?: string}

const allowed = ['context', 'topic', 'group', 'template']

/** These would send a token, or data, where the author of a repository wants it. */
const forbidden = [
  'cluster',
  'bootstrap',
  'endpoint',
  'endpointUrl',
  'endpointUrls',
  'profile',
  'region',
  'auth',
  'tls',
  'ca',
  'credentials',
  'via',
  'route',
  'protected',
]

/**
 * The nearest `skk.yaml` from `cwd` up to the root of its repository; only `cwd` itself outside of one. Throws SkkError (usage),
 * naming the key, when it tries to define more than a project may.
 */
export async function readProject(cwd: string): Promise<Project | undefined> {
  const file = findProjectFile(cwd)
  if (!file) return undefined

  const {parse} = await import('yaml')
  let parsed: unknown
  try {
    parsed = parse(await readFile(file, 'utf8')) ?? {}
  } catch (error) {
    return refuse(file, `is not YAML: ${(error as Error).message.split('\n')[0]}`)
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) return refuse(file, 'is not a list of settings')
  for (const [key, value] of Object.entries(parsed)) check(file, key, value)
  return {file, ...(parsed as Omit<Project, 'file'>)}
}

function check(file: string, key: string, value: unknown): void {
  if (forbidden.includes(key)) refuse(file, `must not set "${key}": a project can only name one of your own contexts`)
  if (!allowed.includes(key)) {
    const meant = nearest(key, allowed)
    refuse(file, `has an unknown key "${key}"${meant ? `; did you mean "${meant}"` : ''}`)
  }
  if (typeof value !== 'string' || value === '') refuse(file, `needs a text for "${key}"`)
}

function refuse(file: string, what: string): never {
  throw new SkkError(`"${file}" ${what}`, {
    code: 'PROJECT_INVALID',
    exit: 'usage',
    hint: 'Put clusters, credentials and routes into a context of your own with `skk contexts set`.',
  })
}

function findProjectFile(cwd: string): string | undefined {
  const directories = upToRepositoryRoot(cwd)
  return directories.map((directory) => join(directory, 'skk.yaml')).find((file) => existsSync(file))
}

function upToRepositoryRoot(cwd: string): string[] {
  const climbed = [cwd]
  for (let directory = cwd; ; directory = dirname(directory)) {
    if (directory !== cwd) climbed.push(directory)
    if (existsSync(join(directory, '.git'))) return climbed
    if (dirname(directory) === directory) return [cwd]
  }
}

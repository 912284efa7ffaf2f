import {existsSync} from 'node:fs'
import {readFile} from 'node:fs/promises'
import {dirname, join} from 'node:path'

import {SkkError} from '../errors.js'
import {nearest} from '../nearest.js'
import {parseYaml} from '../yaml-file.js'

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

  const parsed = (await parseYaml(await readFile(file, 'utf8'), file)) ?? {}
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed))
    return refuse(file, 'must be a list of settings', MEND)
  for (const [key, value] of Object.entries(parsed)) check(file, key, value)
  return {file, ...(parsed as Omit<Project, 'file'>)}
}

function check(file: string, key: string, value: unknown): void {
  if (forbidden.includes(key)) refuse(file, `must not set "${key}": a project can only name one of your own contexts`)
  if (!allowed.includes(key)) {
    const meant = nearest(key, allowed)
    refuse(file, `has an unknown key "${key}"`, meant ? `Did you mean "${meant}"?` : `Known are ${allowed.join(', ')}.`)
  }
  if (typeof value !== 'string' || value === '') refuse(file, `needs a text for "${key}"`, MEND)
}

const MEND = 'Mend the file, then run the same command again.'
const OWN_CONTEXT = 'Put clusters, credentials and routes into a context of your own with `skk contexts set`.'

function refuse(file: string, what: string, hint = OWN_CONTEXT): never {
  throw new SkkError(`"${file}" ${what}`, {code: 'PROJECT_INVALID', exit: 'usage', hint})
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

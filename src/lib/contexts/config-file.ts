import {randomBytes} from 'node:crypto'
import {mkdir, readFile, rename, rm, stat, writeFile} from 'node:fs/promises'
import {dirname, join} from 'node:path'

import {SkkError} from '../errors.js'
import {nearest} from '../nearest.js'

/** A named cluster: which one, with which credentials, by which route. Part of the config file's contract. */
export type Context = {
  /** ARN, or name, of an MSK cluster. */
  cluster?: string
  bootstrap?: string
  region?: string
  auth?: 'iam' | 'none'
  tls?: boolean
  /** File with the certificates to trust. */
  ca?: string
  credentials?: {profile: string} | 'default' | 'local'
  via?: string
  endpointUrls?: {kafka?: string; lambda?: string}
  protected?: boolean
  /** Of the stack that `credentials: "local"` belongs to, if it is not the default one. */
  dataDir?: string
}

export type Contexts = {version: 1; current?: string; contexts: Record<string, Context>}

/** The names of a context's settings, as they stand in the file. */
export const contextFields = [
  'cluster',
  'bootstrap',
  'region',
  'auth',
  'tls',
  'ca',
  'credentials',
  'via',
  'endpointUrls',
  'protected',
  'dataDir',
] as const satisfies (keyof Context)[]

export const contextsFile = (configDir: string): string => join(configDir, 'contexts.json')

/** The user's contexts; none when there is no file yet. Throws SkkError (usage) when the file is not what skk writes. */
export async function readContexts(configDir: string): Promise<Contexts> {
  const file = contextsFile(configDir)
  let text: string
  try {
    await refuseForeignHands(file)
    text = await readFile(file, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return {version: 1, contexts: {}}
    if (error instanceof SkkError) throw error
    throw new SkkError(`cannot read "${file}": ${(error as Error).message}`, {
      code: 'CONFIG_UNREADABLE',
      exit: 'localIo',
      cause: error,
    })
  }
  return checked(text, file)
}

/** Replaces the file as a whole, so that a reader never sees half of it; mode 0600 in a directory of mode 0700. */
export async function writeContexts(configDir: string, contexts: Contexts): Promise<void> {
  await writePrivately(contextsFile(configDir), `${JSON.stringify(contexts, null, 2)}\n`)
}

/** Adds or replaces one context. Makes it the current one when `use` is true, or when there was no current one. */
export async function saveContext(configDir: string, name: string, context: Context, {use = false} = {}): Promise<Contexts> {
  const before = await readContexts(configDir)
  const current = use || before.current === undefined ? name : before.current
  const after: Contexts = {...before, current, contexts: {...before.contexts, [name]: context}}
  await writeContexts(configDir, after)
  return after
}

/** A file that only its owner reads, replaced atomically. Throws SkkError (local I/O). */
export async function writePrivately(file: string, text: string): Promise<void> {
  const draft = `${file}.${randomBytes(6).toString('hex')}`
  try {
    await mkdir(dirname(file), {recursive: true, mode: 0o700})
    await writeFile(draft, text, {mode: 0o600, flag: 'wx', flush: true})
    await rename(draft, file)
  } catch (error) {
    await rm(draft, {force: true})
    throw new SkkError(`cannot write "${file}": ${(error as Error).message}`, {
      code: 'CONFIG_UNWRITABLE',
      exit: 'localIo',
      cause: error,
    })
  }
}

/** A context decides where tokens go: nobody else may have written it. */
async function refuseForeignHands(file: string): Promise<void> {
  const {mode} = await stat(file)
  if (process.platform === 'win32' || (mode & 0o022) === 0) return
  throw new SkkError(`"${file}" can be written by others`, {
    code: 'CONFIG_WRITABLE_BY_OTHERS',
    exit: 'usage',
    hint: `Look at what it says, then run \`chmod 600 ${file}\`.`,
  })
}

function checked(text: string, file: string): Contexts {
  const refuse = (what: string): never => {
    throw new SkkError(`"${file}" ${what}`, {
      code: 'CONFIG_INVALID',
      exit: 'usage',
      hint: 'Correct it, or move it away and start anew.',
    })
  }
  let parsed: unknown
  try {
    parsed = JSON.parse(text)
  } catch (error) {
    return refuse(`is not JSON: ${(error as Error).message}`)
  }
  if (!isObject(parsed) || !isObject(parsed.contexts)) return refuse('does not hold contexts')
  if (parsed.version !== 1) return refuse(`has version ${JSON.stringify(parsed.version)}; this skk knows version 1`)
  if (parsed.current !== undefined && typeof parsed.current !== 'string') return refuse('names no valid current context')
  for (const [name, context] of Object.entries(parsed.contexts)) {
    if (!isObject(context)) return refuse(`has no settings for context "${name}"`)
    const unknown = Object.keys(context).find((key) => !(contextFields as readonly string[]).includes(key))
    if (unknown) {
      const meant = nearest(unknown, contextFields)
      return refuse(`has an unknown setting "${unknown}" in context "${name}"${meant ? `; did you mean "${meant}"` : ''}`)
    }
  }
  // A prototype-free map: a context may be called "constructor".
  const contexts = Object.assign(Object.create(null) as Record<string, Context>, parsed.contexts)
  return {...(parsed as Contexts), contexts}
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

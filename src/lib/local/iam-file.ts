import {readFile, stat} from 'node:fs/promises'
import {SkkError} from '../errors.js'
import {nearest} from '../nearest.js'
import {allows, compilePolicy, PolicyError, type Principal} from './kafka/authorize.js'

export type Identity = {
  name: string
  accessKeyId: string
  secretAccessKey: string
  sessionToken?: string
  principal: Principal
}

export type Identities = {
  find(accessKeyId: string): Identity | undefined
  /** In the order of the file. */
  all: readonly Identity[]
  /** What the user should know about the file; each a lowercase sentence without full stop. */
  warnings: readonly string[]
}

const MAX_FILE_BYTES = 1024 * 1024
/** A name that is longer is no mistyped key. */
const MAX_KEY_CHARACTERS = 64
const PRINCIPAL_KEYS = ['name', 'accessKeyId', 'secretAccessKey', 'sessionToken', 'policy']

/**
 * The identities that `skk local` knows. Without a file: access key `test`, secret `test`, which may do everything.
 * With one, only those of the file: `{"principals": [{"name", "accessKeyId", "secretAccessKey", "sessionToken"?, "policy"}]}`,
 * each the user `arn:aws:iam::<accountId>:user/<name>`.
 *
 * @throws SkkError IAM_FILE_UNREADABLE, or IAM_FILE_INVALID naming the file and the place in it
 */
export async function loadIdentities(file: string | undefined, accountId = '123456789012'): Promise<Identities> {
  if (file === undefined) {
    const principal = {arn: `arn:aws:iam::${accountId}:user/test`, accessKeyId: 'test', allows: () => true}
    return identitiesOf([{name: 'test', accessKeyId: 'test', secretAccessKey: 'test', principal}], [])
  }
  const {text, warnings} = await readIamFile(file)
  const fail = (place: string, problem: string): never => {
    throw new SkkError(`"${file}": ${place} ${problem}`, {code: 'IAM_FILE_INVALID', exit: 'usage'})
  }
  const document = checkKeys(parseJson(text, fail), 'the document', ['principals'], fail)
  const principals = document['principals']
  if (!Array.isArray(principals) || principals.length === 0)
    return fail('principals', 'must be a list with at least one principal')
  const identities: Identity[] = []
  for (const [index, source] of principals.entries()) {
    const place = `principals[${index}]`
    const identity = readPrincipal(source, place, {accountId, fail, warn: (text) => warnings.push(`"${file}": ${text}`)})
    if (identities.some(({name}) => name === identity.name)) fail(`${place}.name`, `"${identity.name}" stands twice`)
    if (identities.some(({accessKeyId}) => accessKeyId === identity.accessKeyId)) {
      fail(`${place}.accessKeyId`, `"${identity.accessKeyId}" stands twice`)
    }
    identities.push(identity)
  }
  return identitiesOf(identities, warnings)
}

function identitiesOf(all: readonly Identity[], warnings: readonly string[]): Identities {
  const byKey = new Map(all.map((identity) => [identity.accessKeyId, identity]))
  return {find: (accessKeyId) => byKey.get(accessKeyId), all, warnings}
}

async function readIamFile(file: string): Promise<{text: string; warnings: string[]}> {
  try {
    const {mode, size} = await stat(file)
    if (size > MAX_FILE_BYTES) throw new Error(`it has ${size} bytes, more than ${MAX_FILE_BYTES}`)
    const open = process.platform !== 'win32' && (mode & 0o077) !== 0
    const warnings = open ? [`"${file}" holds secrets and other users may read or change it: \`chmod 600 ${file}\``] : []
    return {text: await readFile(file, 'utf8'), warnings}
  } catch (error) {
    const {code, message} = error as NodeJS.ErrnoException
    throw new SkkError(`cannot read "${file}": ${code === 'ENOENT' ? 'no such file' : message}`, {
      code: 'IAM_FILE_UNREADABLE',
      exit: 'localIo',
      cause: error,
    })
  }
}

type Fail = (place: string, problem: string) => never

/** Node's own message quotes the text around the mistake, which may be a secret: only the line is told. */
function parseJson(text: string, fail: Fail): unknown {
  try {
    return JSON.parse(text.replace(/^\uFEFF/, ''))
  } catch (error) {
    const position = /position (\d+)/.exec((error as Error).message)?.[1]
    return fail(position === undefined ? 'it' : `line ${text.slice(0, Number(position)).split('\n').length}`, 'is not valid JSON')
  }
}

type Reading = {accountId: string; fail: Fail; warn: (text: string) => void}

function readPrincipal(source: unknown, place: string, {accountId, fail, warn}: Reading): Identity {
  const entry = checkKeys(source, place, PRINCIPAL_KEYS, fail)
  const text = (key: string, form: RegExp, rule: string): string => {
    const value = entry[key]
    if (value === undefined) return fail(`${place}.${key}`, 'is missing')
    return typeof value === 'string' && form.test(value) ? value : fail(`${place}.${key}`, rule)
  }
  const name = text('name', /^[\w+=,.@-]{1,64}$/, 'must be 1 to 64 letters, digits or any of _+=,.@-')
  const accessKeyId = text('accessKeyId', /^\w{1,128}$/, 'must be 1 to 128 letters, digits or _')
  if (/^A[KS]IA[A-Z0-9]{16}$/.test(accessKeyId)) {
    fail(
      `${place}.accessKeyId`,
      'looks like a real AWS access key; the keys of `skk local` are made up, so that no real secret lies in a test file',
    )
  }
  const secretAccessKey = text(
    'secretAccessKey',
    /^[\x21-\x7e]{1,1024}$/,
    'must be 1 to 1024 printable characters without spaces',
  )
  const sessionToken =
    entry['sessionToken'] === undefined
      ? {}
      : {sessionToken: text('sessionToken', /^[\x21-\x7e]{1,4096}$/, 'must be 1 to 4096 printable characters without spaces')}
  const statements = readPolicy(entry['policy'], `${place}.policy`, {fail, warn})
  const principal: Principal = {
    arn: `arn:aws:iam::${accountId}:user/${name}`,
    accessKeyId,
    allows: (action, resource) => allows(statements, action, resource),
  }
  return {name, accessKeyId, secretAccessKey, ...sessionToken, principal}
}

function readPolicy(source: unknown, place: string, {fail, warn}: Omit<Reading, 'accountId'>) {
  if (source === undefined) return fail(place, 'is missing')
  try {
    const {statements, warnings} = compilePolicy(source)
    for (const warning of warnings) warn(`${place}.${warning}`)
    return statements
  } catch (error) {
    if (!(error instanceof PolicyError)) throw error
    return fail(error.place === '' ? place : `${place}.${error.place}`, error.message)
  }
}

function checkKeys(value: unknown, place: string, keys: readonly string[], fail: Fail): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return fail(place, 'must be an object')
  const unknown = Object.keys(value).find((key) => !keys.includes(key))
  if (unknown === undefined) return value as Record<string, unknown>
  const meant = nearest(unknown.slice(0, MAX_KEY_CHARACTERS), keys)
  return fail(place, `has the unknown key "${unknown}", ${meant ? `did you mean "${meant}"?` : `it may have ${keys.join(', ')}`}`)
}

import {lstat, readFile, rm} from 'node:fs/promises'
import {join} from 'node:path'

import {SkkError} from '../errors.js'
import {type Answers, rulesOf, settleAnswers} from './answers.js'
import {digest, type Files, PROJECT_FILE, renderProject} from './project.js'
import {findTemplate, type Template} from './templates.js'
import {writeProject} from './write.js'

/**
 * How a file stands between the project and its template: `update`, `add` and `remove` are the template's changes to what nobody
 * touched; `yours` was changed or removed by people alone; `both` by people and the template.
 */
export type Change = {path: string; state: 'same' | 'update' | 'add' | 'remove' | 'yours' | 'both'}

export type Revision = {
  template: Template
  /** The version of skk that made the project, or changed it last. */
  from: string
  changes: Change[]
  now: Files
  then: Files
  /** As the project file has them: what each file was when it was made. */
  made: Record<string, string>
}

type Recorded = {template: string; version: string; answers: Answers; files: Record<string, string>} & Record<string, unknown>

/**
 * What the templates of this skk would make of the project, beside what is there. Throws SkkError: not found without a project
 * file, local I/O when it says nonsense.
 */
export async function planRevision(directory: string, version: string): Promise<Revision> {
  const recorded = await readRecorded(directory)
  const template = await findTemplate(recorded.template)
  const asked = Object.keys(rulesOf(template))
  const kept = Object.fromEntries(Object.entries(recorded.answers).filter(([key]) => asked.includes(key)))
  const answers = settleAnswers(template, kept)
  const then = await renderProject(template, answers, version)
  then.set(PROJECT_FILE, mergedProject(recorded, JSON.parse(then.get(PROJECT_FILE)!)))
  const now = await present(directory, [...then.keys(), ...Object.keys(recorded.files)])
  const paths = [...new Set([...then.keys(), ...Object.keys(recorded.files)])].sort()
  const changes = paths.map((path) => ({path, state: stateOf(now.get(path), recorded.files[path], then.get(path), path)}))
  return {template, from: recorded.version, changes, now, then, made: recorded.files}
}

function stateOf(now: string | undefined, made: string | undefined, then: string | undefined, path: string): Change['state'] {
  if (now === then) return 'same'
  if (path === PROJECT_FILE) return 'update'
  if (made === undefined) return now === undefined ? 'add' : 'both'
  const touched = now === undefined || digest(now) !== made
  const moved = then === undefined || digest(then) !== made
  if (touched) return moved && now !== undefined && then !== undefined ? 'both' : 'yours'
  return then === undefined ? 'remove' : 'update'
}

/**
 * Carries the template's changes out. What people changed too stays theirs and stays to be settled, unless `force`. Returns the
 * paths that were changed.
 */
export async function revise(directory: string, {changes, then, made}: Revision, {force = false} = {}): Promise<string[]> {
  const unsettled = force ? [] : changes.filter(({state}) => state === 'both').map(({path}) => path)
  const taken = changes.filter(({state}) => ['update', 'add'].includes(state) || (force && state === 'both'))
  const files: Files = new Map(taken.map(({path}) => [path, then.get(path)!]))
  if (files.has(PROJECT_FILE)) files.set(PROJECT_FILE, stillMade(files.get(PROJECT_FILE)!, unsettled, made))
  await writeProject(files, directory, {force: true})
  const removed = changes.filter(({state}) => state === 'remove')
  for (const {path} of removed) await rm(join(directory, path))
  return [...taken, ...removed].map(({path}) => path).sort()
}

/** Settings that people changed stay; variables that the template has now are added. */
function mergedProject(recorded: Recorded, made: Record<string, unknown>): string {
  const environment = {...(made['environment'] as object), ...(recorded['environment'] as object)}
  const {version, answers, files} = made
  return `${JSON.stringify({...made, ...recorded, version, answers, environment, files}, null, 2)}\n`
}

/** The project file, in which the paths are as they were made before. */
function stillMade(text: string, paths: readonly string[], made: Record<string, string>): string {
  const project = JSON.parse(text)
  for (const path of paths) project.files[path] = made[path] ?? ''
  return `${JSON.stringify(project, null, 2)}\n`
}

async function readRecorded(directory: string): Promise<Recorded> {
  const path = join(directory, PROJECT_FILE)
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (error) {
    throw new SkkError(`"${directory}" has no ${PROJECT_FILE}`, {
      code: 'NO_PROJECT',
      exit: 'notFound',
      hint: 'Run it in a directory that `skk scaffold` has made.',
      cause: error,
    })
  }
  try {
    const {template, version, answers, files, ...rest} = JSON.parse(text) as Recorded
    if (typeof template === 'string' && typeof version === 'string' && isTexts(answers) && isTexts(files) && isSafe(files))
      return {template, version, answers, files, ...rest}
  } catch {}
  throw new SkkError(`"${path}" was not written by \`skk scaffold\``, {
    code: 'PROJECT_FILE',
    exit: 'localIo',
    hint: `Restore it, or make the project anew with \`skk scaffold --force\`.`,
  })
}

const isTexts = (value: unknown): value is Record<string, string> =>
  typeof value === 'object' && value !== null && Object.values(value).every((one) => typeof one === 'string')

/** A path of a foreign file must not lead out of the directory: what it names may be removed. */
const isSafe = (files: Record<string, string>): boolean =>
  Object.keys(files).every((path) => path.split('/').every((part) => !['', '.', '..'].includes(part)) && !path.includes('\\'))

async function present(directory: string, paths: readonly string[]): Promise<Files> {
  const files: Files = new Map()
  for (const path of new Set(paths)) {
    const found = await lstat(join(directory, path)).catch(() => undefined)
    if (found?.isFile()) files.set(path, await readFile(join(directory, path), 'utf8'))
  }
  return files
}

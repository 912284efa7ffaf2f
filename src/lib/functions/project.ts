import {readFile} from 'node:fs/promises'
import {join} from 'node:path'

import {SkkError} from '../errors.js'
import {type MappingDetails, readDetails} from '../esm/manifest.js'

/** What `skk.project.json` says about the function of a directory and its mapping; its other members are others' business. */
export type FunctionProject = {
  name?: string
  /** `src/handler.handler`: a path without its extension, and an export. */
  handler?: string
  runtime?: string
  /** MiB. */
  memory?: number
  /** With its unit, such as `60s`. */
  timeout?: string
  role?: string
  /** Whether it opens connections to the brokers, for which it has to be in the VPC of their cluster. */
  vpc?: boolean
  environment?: Record<string, string>
  /** That the function reads. */
  topic?: string
  /** How it reads it: an entry of `mappings.yaml` without function, topic and cluster. */
  mapping?: MappingDetails
}

export const PROJECT_FILE = 'skk.project.json'
const TEXTS = ['name', 'handler', 'runtime', 'timeout', 'role', 'topic'] as const

/**
 * The project file of `dir`; empty without one. Throws SkkError: local I/O when it cannot be read or says nonsense, usage for a
 * member of its mapping that there is not.
 */
export async function readFunctionProject(dir: string): Promise<FunctionProject> {
  let text: string
  try {
    text = await readFile(join(dir, PROJECT_FILE), 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return {}
    throw refusal(dir, (error as Error).message)
  }
  let parsed: unknown
  try {
    parsed = JSON.parse(text)
  } catch (error) {
    throw refusal(dir, `is not JSON: ${(error as Error).message}`)
  }
  if (!isObject(parsed)) throw refusal(dir, 'is not an object')
  for (const key of TEXTS) {
    if (parsed[key] !== undefined && typeof parsed[key] !== 'string') throw refusal(dir, `needs a text for "${key}"`)
  }
  const {memory, environment, vpc} = parsed
  if (vpc !== undefined && typeof vpc !== 'boolean') throw refusal(dir, 'needs true or false for "vpc"')
  if (memory !== undefined && !Number.isInteger(memory)) throw refusal(dir, 'needs a whole number of MiB for "memory"')
  if (environment !== undefined && !isTexts(environment)) throw refusal(dir, 'needs texts by name for "environment"')
  const {mapping, ...rest} = parsed
  return {
    ...rest,
    ...(mapping !== undefined && {mapping: readDetails(mapping, `mapping in "${PROJECT_FILE}"`)}),
  } as FunctionProject
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const isTexts = (value: unknown): boolean => isObject(value) && Object.values(value).every((text) => typeof text === 'string')

const refusal = (dir: string, why: string): SkkError =>
  new SkkError(`"${join(dir, PROJECT_FILE)}" ${why}`, {
    code: 'PROJECT_FILE',
    exit: 'localIo',
    hint: `Correct "${PROJECT_FILE}", or remove it.`,
  })

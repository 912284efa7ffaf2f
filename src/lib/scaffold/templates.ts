import {readdir, readFile} from 'node:fs/promises'
import {join} from 'node:path'

import {SkkError} from '../errors.js'
import {nearest} from '../nearest.js'
import {holds} from './fill.js'

/** An answer that a template takes. Its value is a text; a number or a flag is one too. */
export type AnswerRule = {
  description: string
  default: string
  /** The only values that there are. */
  values?: string[]
  /** A regular expression that the whole value must match. */
  pattern?: string
}

/** What `template.json` of a template says. */
export type Template = {
  /** `pattern-4`: its directory. */
  name: string
  directory: string
  title: string
  /** Other names, such as `kafka-to-http`. */
  aliases: string[]
  /** What such a name answers by itself. */
  presets?: Record<string, Record<string, string>>
  /** What calls the function. */
  trigger: string
  /** What it is for, and when something else is better. */
  use: string
  avoid: string
  /** Files of `shared/lib` that are copied into `src/lib`, with their tests. */
  shared: string[]
  /** Paths that are there only under a condition such as `iac=sam`; one that ends in a slash is a directory. */
  files: Record<string, string>
  answers: Record<string, AnswerRule>
  /** Answers that do not go together, as conditions such as `iac=sam` that hold at once. */
  refuses?: {when: string[]; why: string}[]
  /** What `skk.project.json` says of the function. Texts may hold answers. */
  function: {memory: number; timeout: string; vpc: boolean; environment: Record<string, string>}
  /** The mapping, as one entry of mappings.yaml without function and topic; absent when no mapping of Kafka calls the function. */
  mapping?: Record<string, unknown>
  /**
   * What costs money. `secrets` is how many, or the condition under which there is one. `recordMs`: how long the function is busy
   * with one record, an assumption. `batch`: how records are gathered, where that is not the mapping's to say; absent is one by one.
   */
  costs: Costs
  /** By the name of a directory, which is laid over the project. */
  parts?: Record<string, Part>
}

type Costs = {pollers: number; alarms: number; secrets: number | string; recordMs: number; batch?: Batch}

/** What a template has only under a condition, beside the files of its directory. */
type Part = {
  when: string
  shared?: string[]
  vpc?: boolean
  environment?: Record<string, string>
  mapping?: Record<string, unknown>
  costs?: Partial<Costs>
}

/** In seconds. */
type Batch = {batchSize: number; batchingWindow: number}

/** Beside `lib`, in the sources as in what is installed. */
const TEMPLATES = join(import.meta.dirname, '../../templates')
export const SHARED = join(TEMPLATES, 'shared')

/** The templates that there are, by name. */
export async function listTemplates(): Promise<Template[]> {
  const names = (await readdir(TEMPLATES)).filter((name) => /^pattern-\d+$/.test(name)).sort(byNumber)
  return Promise.all(names.map(readTemplate))
}

const byNumber = (a: string, b: string): number => Number(a.slice(8)) - Number(b.slice(8))

async function readTemplate(name: string): Promise<Template> {
  const directory = join(TEMPLATES, name)
  return {name, directory, ...JSON.parse(await readFile(join(directory, 'template.json'), 'utf8'))}
}

/** The template of that name or alias. Throws SkkError (not found) with the nearest name. */
export async function findTemplate(word: string): Promise<Template> {
  const templates = await listTemplates()
  const found = templates.find(({name, aliases}) => name === word || aliases.includes(word))
  if (found) return found

  const meant = nearest(
    word,
    templates.flatMap(({name, aliases}) => [name, ...aliases]),
  )
  throw new SkkError(`template "${word}" does not exist`, {
    code: 'TEMPLATE_NOT_FOUND',
    exit: 'notFound',
    hint: `${meant ? `Did you mean "${meant}"? ` : ''}Run \`skk scaffold --list\` to see all.`,
  })
}

/** The template with those of its parts whose condition the answers meet; `parts` has only those then. */
export function withParts(template: Template, answers: Record<string, string>): Template {
  const parts = Object.entries(template.parts ?? {}).filter(([, {when}]) => holds(when, answers))
  return parts.reduce<Template>((whole, [, part]) => withPart(whole, part), {...template, parts: Object.fromEntries(parts)})
}

function withPart(template: Template, {shared = [], vpc, environment = {}, mapping, costs}: Part): Template {
  const {function: own} = template
  return {
    ...template,
    shared: [...template.shared, ...shared],
    function: {...own, vpc: vpc ?? own.vpc, environment: {...own.environment, ...environment}},
    ...(mapping && {mapping}),
    costs: {...template.costs, ...costs},
  }
}

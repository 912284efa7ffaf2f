import {createHash} from 'node:crypto'
import {existsSync} from 'node:fs'
import {readdir, readFile} from 'node:fs/promises'
import {join} from 'node:path'

import type {Answers} from './answers.js'
import {fill, fillAll, holds} from './fill.js'
import {SHARED, type Template, withParts} from './templates.js'

export const PROJECT_FILE = 'skk.project.json'

/** The files of a project, by their path below it, with slashes. */
export type Files = Map<string, string>

/** What only provisioned pollers have (docs.aws.amazon.com/lambda/latest/dg/kafka-retry-configurations.html, as of 2026-11-20). */
const PROVISIONED_ONLY = ['pollers', 'maxRetries', 'maxAge', 'bisect', 'reportBatchItemFailures']

/**
 * All files of a project, sorted, and the same bytes for the same answers. `version` is that of skk, whose templates they come from.
 */
export async function renderProject(whole: Template, answers: Answers, version: string): Promise<Files> {
  const template = withParts(whole, answers)
  const sources = new Map([
    ...(await sourcesIn(join(SHARED, 'project'))),
    ...(await sharedSources(template.shared)),
    ...(answers['iac'] === 'cdk' ? await sourcesIn(join(SHARED, 'infra'), 'infra/') : []),
    ...(await ownSources(whole, Object.keys(template.parts ?? {}))),
  ])
  sources.delete('template.json')
  const wanted = [...sources].filter(([path]) => isWanted(path, template, answers))
  const files: Files = new Map(
    wanted.map(([path, text]) => [unpacked(path), rename(path, fill(text, answers), template.name, answers['name']!)]),
  )
  const mapping = mappingOf(template, answers)
  if (mapping && answers['esm'] === 'post-deploy') files.set('skk.esm.yaml', await manifest(mapping, answers))
  files.set(PROJECT_FILE, projectFile(template, answers, version, mapping, files))
  return new Map([...files].sort(([a], [b]) => (a < b ? -1 : 1)))
}

const isWanted = (path: string, {files}: Template, answers: Answers): boolean =>
  Object.entries(files).every(
    ([place, condition]) => !(place.endsWith('/') ? path.startsWith(place) : path === place) || holds(condition, answers),
  )

/** npm keeps back files of these names from a package, so that they are stored under others. */
const unpacked = (path: string): string => path.replace(/(^|\/)_(gitignore|npmrc)$/, '$1.$2')

/** npm refuses a name with braces, and a lockfile is made by npm: the two files have the template's name until here. */
const rename = (path: string, text: string, from: string, to: string): string =>
  /^package(-lock)?\.json$/.test(path) ? text.replaceAll(`"name": "${from}"`, `"name": "${to}"`) : text

/** The template's own, with the parts that were chosen over them; the other parts are left out. */
async function ownSources({directory, parts = {}}: Template, chosen: readonly string[]): Promise<[path: string, text: string][]> {
  const sources = await sourcesIn(directory)
  const partOf = (path: string) => Object.keys(parts).find((part) => path.startsWith(`${part}/`))
  const common = sources.filter(([path]) => partOf(path) === undefined)
  const laidOver = sources.filter(([path]) => chosen.includes(partOf(path) ?? ''))
  return [...common, ...laidOver.map(([path, text]): [string, string] => [path.slice(path.indexOf('/') + 1), text])]
}

async function sourcesIn(directory: string, prefix = ''): Promise<[path: string, text: string][]> {
  const entries = await readdir(directory, {recursive: true, withFileTypes: true})
  const ours = entries.filter((entry) => entry.isFile() && !entry.parentPath.includes('node_modules'))
  return Promise.all(
    ours.map(async (entry) => {
      const path = join(entry.parentPath, entry.name)
      const place = path.slice(directory.length + 1).replaceAll('\\', '/')
      return [`${prefix}${place}`, await readFile(path, 'utf8')] as [string, string]
    }),
  )
}

/** Each piece, and its test where it has one. */
async function sharedSources(pieces: readonly string[]): Promise<[path: string, text: string][]> {
  const places = pieces.flatMap((piece) => [
    [`src/lib/${piece}.ts`, join(SHARED, 'lib', `${piece}.ts`)] as const,
    [`test/lib/${piece}.test.ts`, join(SHARED, 'test', `${piece}.test.ts`)] as const,
  ])
  const present = places.filter(([path, source]) => path.startsWith('src/') || existsSync(source))
  return Promise.all(present.map(async ([path, source]) => [path, await readFile(source, 'utf8')] as [string, string]))
}

/** The mapping in the words of mappings.yaml, without what on-demand pollers do not have. */
function mappingOf({mapping}: Template, answers: Answers): Record<string, unknown> | undefined {
  if (!mapping) return undefined
  const kept = Object.entries(mapping).filter(([key]) => answers['provisioned'] === 'true' || !PROVISIONED_ONLY.includes(key))
  return fillAll(Object.fromEntries(kept), answers)
}

async function manifest(mapping: Record<string, unknown>, answers: Answers): Promise<string> {
  const {stringify} = await import('yaml')
  const {name, topic, 'cluster-arn': cluster} = answers
  const entry = {function: name, topic, ...(cluster && {cluster}), ...mapping}
  return `# The mapping of this project: \`skk esm apply --retry -f skk.esm.yaml\` makes it, after the function is deployed.\n${stringify({mappings: [entry]})}`
}

function projectFile(
  template: Template,
  answers: Answers,
  version: string,
  mapping: Record<string, unknown> | undefined,
  files: Files,
): string {
  const {environment, ...settings} = fillAll(template.function, answers)
  const reports = mapping && 'reportBatchItemFailures' in template.mapping! ? {REPORT_FAILURES: answers['provisioned']!} : {}
  const project = {
    template: template.name,
    version,
    answers,
    name: answers['name'],
    handler: 'src/handler.handler',
    runtime: answers['runtime'],
    ...settings,
    environment: {...environment, ...reports},
    // It is the topic that the function reads.
    ...(mapping && {topic: answers['topic'], mapping}),
    files: Object.fromEntries([...files].sort(([a], [b]) => (a < b ? -1 : 1)).map(([path, text]) => [path, digest(text)])),
  }
  return `${JSON.stringify(project, null, 2)}\n`
}

/** Enough of a SHA-256 to tell whether a file is still as it was made. */
export const digest = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 16)

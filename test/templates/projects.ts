/**
 * Makes projects with the built CLI and installs what they depend on: once for each lockfile, in .cache/templates, and linked from
 * there. What cannot be installed fails the tests.
 */
import {createHash} from 'node:crypto'
import {existsSync} from 'node:fs'
import {copyFile, cp, mkdir, mkdtemp, readFile, rename, rm, symlink} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {basename, dirname, join, resolve} from 'node:path'

import {installNode} from '../engines/install.js'
import {expectSuccess, type Finished, type Options} from '../engines/processes.js'
import {emptyHome, skk} from '../engines/skk.js'

const CACHE = resolve(import.meta.dirname, '../../.cache/templates')
const TEN_MINUTES = 600_000

export type Project = {dir: string; remove(): Promise<void>}

/** A project in a temporary directory, with its dependencies. */
export async function makeProject(
  template: string,
  {set = {}, flags = [], name = 'orders'}: {set?: Record<string, string>; flags?: readonly string[]; name?: string} = {},
): Promise<Project> {
  const parent = await mkdtemp(join(tmpdir(), 'skk-template-'))
  const home = await emptyHome()
  const answers = Object.entries(set).flatMap(([key, value]) => ['--set', `${key}=${value}`])
  const dir = join(parent, name)
  try {
    const {code, stderr} = await skk(['scaffold', template, dir, ...answers, ...flags], {env: home.env})
    if (code !== 0) throw new Error(`scaffold ${template}: exit ${code}\n${stderr}`)
    await installDependencies(dir)
    if (existsSync(join(dir, 'infra'))) await installDependencies(join(dir, 'infra'))
  } finally {
    await home.remove()
  }
  return {dir, remove: () => rm(parent, {recursive: true, force: true})}
}

/** The environment in which a shell finds that Node first. */
export async function nodeOnPath(major: 22 | 24): Promise<NodeJS.ProcessEnv> {
  return {PATH: `${dirname(await installNode(major))}:${process.env['PATH']}`}
}

/** Runs an npm script of a project; an error with all that it printed when it fails. */
export const npmRun = (dir: string, script: string, options: Options = {}): Promise<Finished> =>
  expectSuccess('npm', ['run', '--silent', script], {cwd: dir, timeoutMs: TEN_MINUTES, ...options})

async function installDependencies(dir: string): Promise<void> {
  const {name} = JSON.parse(await readFile(join(dir, 'package.json'), 'utf8'))
  const lock = (await readFile(join(dir, 'package-lock.json'), 'utf8')).replaceAll(`"name": "${name}"`, '')
  const place = join(CACHE, createHash('sha256').update(lock).digest('hex').slice(0, 16))
  if (!existsSync(place)) await npmCi(dir, place)
  await symlink(join(place, 'node_modules'), join(dir, 'node_modules'))
}

/** `npm ci` as a person would run it, with the project's own .npmrc. */
async function npmCi(dir: string, place: string): Promise<void> {
  const started = performance.now()
  await mkdir(CACHE, {recursive: true})
  const made = await mkdtemp(join(CACHE, 'made-'))
  for (const file of ['package.json', 'package-lock.json']) await copyFile(join(dir, file), join(made, file))
  const settings = [join(dir, '.npmrc'), join(dirname(dir), '.npmrc')].find((file) => existsSync(file))
  if (settings) await cp(settings, join(made, '.npmrc'))
  const quiet = ['--no-audit', '--no-fund', '--cache', join(CACHE, 'npm'), '--prefer-offline']
  await expectSuccess('npm', ['ci', ...quiet], {cwd: made, timeoutMs: TEN_MINUTES})
  await rename(made, place)
  const seconds = ((performance.now() - started) / 1000).toFixed(1)
  process.stderr.write(`installed the dependencies of ${basename(dir)} in ${seconds} s\n`)
}

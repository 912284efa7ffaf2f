import {execFile} from 'node:child_process'
import {existsSync, readdirSync} from 'node:fs'
import {cp, mkdir, mkdtemp, readFile, rm, symlink} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {dirname, join, resolve} from 'node:path'
import {promisify} from 'node:util'

import {afterAll, beforeAll, describe, expect, it, onTestFinished} from 'vitest'

import {pathTo, stopStackOf} from './support/person.js'
import {cleanHome, type Home, skk} from './support/skk.js'

const run = promisify(execFile)

type Locked = {dev?: boolean; hasInstallScript?: boolean; license?: string; link?: boolean}

/** What `npm i skk` would install beside skk, by its place in node_modules. */
async function productionTree(): Promise<[place: string, Locked][]> {
  const {packages}: {packages: Record<string, Locked>} = JSON.parse(await readFile('package-lock.json', 'utf8'))
  return Object.entries(packages).filter(([place, {dev}]) => place !== '' && !dev)
}

describe('the package', () => {
  let project: string
  let files: string[]
  let home: Home
  let program: string
  let env: NodeJS.ProcessEnv
  beforeAll(async () => {
    project = await mkdtemp(join(tmpdir(), 'skk-package-'))
    home = await cleanHome()
    const {stdout} = await run('npm', ['pack', '--ignore-scripts', '--json', '--pack-destination', project])
    const [{filename, files: packed}] = JSON.parse(stdout)
    files = packed.map(({path}: {path: string}) => path)
    program = await install(join(project, filename), project)
    env = await pathTo(program, home)
  })
  afterAll(async () => {
    await stopStackOf(home)
    await home.remove()
    await rm(project, {recursive: true, force: true})
  })

  it('has what it needs, and nothing of the workshop', () => {
    const wanted = [
      'bin/run.js',
      'bin/check-node.js',
      'examples/orders.jsonl',
      'examples/count-orders/handler.mjs',
      'oclif.manifest.json',
      'dist/lib/start.js',
    ]
    const documents = ['package.json', 'README.md', 'CHANGELOG.md', 'FIDELITY.md', 'LICENSE', 'NOTICE']

    expect(files).toEqual(expect.arrayContaining([...wanted, ...documents]))
    expect(files.filter((path) => !/^(dist|bin|examples)\//.test(path)).sort()).toEqual(
      [...documents, 'oclif.manifest.json'].sort(),
    )
    const ours = files.filter((path) => !path.startsWith('dist/templates/'))
    expect(ours.filter((path) => /\.(test|map|tsbuildinfo)\b|(^|\/)(test|fixtures?)\//.test(path))).toEqual([])
  })

  it('has every file of the templates, and what npm keeps back under another name', () => {
    const sources = readdirSync('src/templates', {recursive: true, withFileTypes: true}).filter((entry) => entry.isFile())
    const expected = sources.map(({parentPath, name}) => `dist/${join(parentPath, name).slice('src/'.length)}`)

    expect(files.filter((path) => path.startsWith('dist/templates/')).sort()).toEqual(expected.sort())
    expect(files).toContain('dist/templates/shared/project/_gitignore')
  })

  it('has a compiled file for each source, and none without one', () => {
    const sources = readdirSync('src', {recursive: true, encoding: 'utf8'}).map((path) => path.replaceAll('\\', '/'))
    const expected = sources
      .filter((path) => /^(?!templates\/).*(?<!\.d)\.ts$/.test(path))
      .map((path) => `dist/${path.slice(0, -3)}.js`)

    const compiled = files.filter((path) => /^dist\/(?!templates\/).*\.js$/.test(path))
    expect(compiled.sort()).toEqual(expected.sort())
  })

  it('starts through a plain shebang', async () => {
    expect(await readFile(program, 'utf8')).toMatch(/^#!\/usr\/bin\/env node\n/)
  })

  it('runs from an empty project, with its runtime dependencies alone', async () => {
    const [version, help] = [await skk(['--version'], {home, program}), await skk(['--help'], {home, program})]

    expect(version).toMatchObject({code: 0, stdout: expect.stringContaining(await versionOf('.')), stderr: ''})
    expect(help).toMatchObject({code: 0, stdout: expect.stringMatching(/^ {2}demo /m), stderr: ''})
  })

  it('runs the demo, and what the demo says to type works', async () => {
    const demo = await skk(['demo'], {home, program, env: {npm_command: 'run'}})
    await rm(join(home.directory, 'bin', 'skk')) // after `npm ci && npm run demo` there is only npx
    expect(demo).toMatchObject({code: 0, stdout: expect.stringContaining('10000 records in, 10000 records out, the same bytes')})
    expect(demo.stdout).toMatch(/^1\d{4} records delivered to function "count-orders", lag 0$/m)
    const lines = (demo.stderr.split('Now you:')[1] ?? '').split('\n').filter((line) => line.startsWith('  '))
    expect(lines.length).toBeGreaterThan(3)

    for (const line of lines) expect(await type(line.trim())).toMatchObject({code: 0})
  }, 300_000)

  async function type(line: string): Promise<{code: number; said: string}> {
    const typed = run('sh', ['-c', `${line} 2>&1 </dev/null`], {cwd: join(home.directory, 'work'), env, timeout: 60_000})
    return typed.then(
      ({stdout}) => ({code: 0, said: stdout}),
      ({code, stdout}) => ({code, said: stdout}),
    )
  }
})

it('no runtime dependency runs a script when it is installed', async () => {
  const withScripts = (await productionTree()).filter(([, {hasInstallScript}]) => hasInstallScript)

  expect(withScripts.map(([place]) => place)).toEqual([])
})

it('every runtime dependency has a licence that goes with Apache-2.0', async () => {
  const compatible = ['Apache-2.0', 'MIT', 'ISC', 'BSD-2-Clause', 'BSD-3-Clause', '0BSD', 'BlueOak-1.0.0', 'CC0-1.0', 'Unlicense']
  const tree = (await productionTree()).filter(([place]) => existsSync(place))
  const licences = await Promise.all(tree.map(async ([place]) => [place, await licenceOf(place)] as const))

  expect(licences.length).toBeGreaterThan(50)
  expect(licences.filter(([, licence]) => !alternatives(licence).some((one) => compatible.includes(one)))).toEqual([])
})

/** Unpacks the tarball where npm would, beside links to its runtime dependencies only. Returns the program's path. */
async function install(tarball: string, project: string): Promise<string> {
  const place = join(project, 'node_modules', 'skk')
  await mkdir(place, {recursive: true})
  await run('tar', ['-xzf', tarball, '-C', place, '--strip-components', '1'])
  for (const [dependency] of await productionTree()) {
    if (dependency.lastIndexOf('node_modules/') > 0 || !existsSync(dependency)) continue
    await mkdir(dirname(join(project, dependency)), {recursive: true})
    await symlink(resolve(dependency), join(project, dependency))
  }
  return join(place, 'bin', 'run.js')
}

const versionOf = async (directory: string): Promise<string> =>
  JSON.parse(await readFile(join(directory, 'package.json'), 'utf8')).version

async function licenceOf(place: string): Promise<string> {
  const {license} = JSON.parse(await readFile(join(place, 'package.json'), 'utf8'))
  return typeof license === 'string' ? license : String(license?.type)
}

/** The licences of which one may be chosen; one that joins several with AND must be compatible as a whole, and is not taken apart. */
const alternatives = (expression: string): string[] => expression.replace(/^\((.*)\)$/, '$1').split(' OR ')

it.each(['bin/run.js', 'bin/check-node.js'])(
  '%s says in one line which Node is needed, on one that is older',
  async (program) => {
    const older = "Object.defineProperty(process.versions, 'node', {value: '20.18.3'})"
    const options = {env: {...process.env, NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(older)}`}}

    const failure = await run(process.execPath, [program, 'topics', 'list'], options).catch((error) => error)

    expect(failure).toMatchObject({
      code: 2,
      stdout: '',
      stderr: expect.stringMatching(/^error: skk needs Node\.js 20\.19 or newer, this is .*\n$/),
    })
  },
)

it('npm i -g in a checkout without its packages says what comes first', async () => {
  const checkout = await mkdtemp(join(tmpdir(), 'skk-checkout-'))
  onTestFinished(() => rm(checkout, {recursive: true, force: true}))
  const {prepare} = JSON.parse(await readFile('package.json', 'utf8')).scripts
  for (const part of ['bin', 'scripts', 'package.json']) await cp(part, join(checkout, part), {recursive: true})

  const failure = await run('sh', ['-c', prepare], {cwd: checkout}).catch((error) => error)

  expect(failure).toMatchObject({code: 2, stderr: expect.stringContaining('hint:  Run `npm ci` first')})
})

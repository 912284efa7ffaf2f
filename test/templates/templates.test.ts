import {mkdir, readdir, readFile, stat, writeFile} from 'node:fs/promises'
import {join, resolve} from 'node:path'

import {afterAll, beforeAll, describe, expect, it} from 'vitest'

import {settleAnswers} from '../../src/lib/scaffold/answers.js'
import {findTemplate, listTemplates, withParts} from '../../src/lib/scaffold/templates.js'
import {installVenv} from '../engines/install.js'
import {expectSuccess} from '../engines/processes.js'
import {cases, variants} from './cases.js'
import {graphOf, type Template} from './graph.js'
import {makeProject, nodeOnPath, npmRun, type Project} from './projects.js'

const LARGEST_BUNDLE = 2_000_000

it('every template has a line in the table', async () => {
  const names = (await listTemplates()).map(({name}) => name)

  expect([...new Set(cases.map(({template}) => template))].sort()).toEqual(names.sort())
})

const titled = cases.map(({template, set = {}}) => {
  const answers = Object.entries(set).map(([key, value]) => `${key}=${value}`)
  return {template, set, title: [template, ...answers].join(' ')}
})

describe.each(titled)('$title', ({template, set}) => {
  let project: Project
  beforeAll(async () => {
    project = await makeProject(template, {set, flags: ['--iac', 'none']})
  })
  afterAll(() => project?.remove())

  it.each([22, 24] as const)('builds and passes its tests on Node %i', async (major) => {
    const env = await nodeOnPath(major)
    await npmRun(project.dir, 'build', {env})

    const {stdout} = await npmRun(project.dir, 'test', {env})

    expect(stdout).toMatch(/^(?:#|ℹ) fail 0$/m)
    expect(Number(/^(?:#|ℹ) pass (\d+)$/m.exec(stdout)?.[1])).toBeGreaterThan(10)
    expect(stdout).toMatch(/^(?:#|ℹ) skipped 0$/m)
  })

  it('has a small bundle and nothing beside it', async () => {
    expect(await readdir(join(project.dir, 'dist'))).toEqual(['handler.mjs'])
    expect((await stat(join(project.dir, 'dist/handler.mjs'))).size).toBeLessThan(LARGEST_BUNDLE)
  })

  it('says how to get skk when it is not there', async () => {
    const {PATH} = await nodeOnPath(22)
    const onlyNode = {PATH: PATH!.split(':')[0]!}

    const running = expectSuccess(join(onlyNode.PATH, 'node'), ['scripts/local.mjs'], {cwd: project.dir, env: onlyNode})

    await expect(running).rejects.toThrow(/exit 2[\s\S]*npm install --global skk/)
  })

  describe('its infrastructure', () => {
    const made: {flags: string; sam: Project; cdk: Project}[] = []
    let python: string
    beforeAll(async () => {
      python = await installVenv('templates-python', resolve(import.meta.dirname, 'requirements.txt'))
      const found = await findTemplate(template)
      const {mapping} = withParts(found, settleAnswers(found, {name: 'orders', ...set}))
      // What differs in them is the mapping.
      for (const flags of mapping ? variants : [[]]) {
        const [sam, cdk] = [
          await makeProject(template, {set, flags: [...flags, '--iac', 'sam']}),
          await makeProject(template, {set, flags: [...flags, '--iac', 'cdk']}),
        ]
        made.push({flags: flags.join(' '), sam, cdk})
      }
    })
    afterAll(async () => {
      for (const {sam, cdk} of made) await Promise.all([sam.remove(), cdk.remove()])
    })
    const samTemplates = () => made.map(({sam}) => join(sam.dir, 'template.yaml'))

    it('leaves cfn-lint nothing to say', async () => {
      const strict = ['--non-zero-exit-code', 'informational']

      const {stdout} = await expectSuccess(join(python, 'cfn-lint'), [...strict, ...samTemplates()])

      expect(stdout).toBe('')
    })

    it('is the same in CDK as in SAM', async () => {
      const env = await nodeOnPath(24)
      const transform = resolve(import.meta.dirname, 'transform.py')
      const {stdout} = await expectSuccess(join(python, 'python'), [transform, ...samTemplates()])
      const transformed: Template[] = stdout
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line))
      expect(transformed).toHaveLength(made.length)

      for (const [index, {flags, cdk}] of made.entries()) {
        await withoutCode(cdk.dir)
        await npmRun(join(cdk.dir, 'infra'), 'build', {env})
        const synthesized = await (index === 0 ? synth(cdk.dir, env) : synthWithoutTool(cdk.dir, env))
        expect(graphOf(synthesized), flags).toEqual(graphOf(transformed[index]!))
        const types = Object.values(synthesized.Resources).map(({Type}) => Type)
        expect(types, flags).toEqual(expect.arrayContaining(['AWS::Lambda::Function', 'AWS::Logs::LogGroup']))
      }
    })
  })
})

/** The code is an asset, whatever it is; what builds it has its own test. */
async function withoutCode(dir: string): Promise<void> {
  await mkdir(join(dir, 'dist'))
  await writeFile(join(dir, 'dist/handler.mjs'), '')
}

/** What the app writes by itself, which is what `cdk synth` reads: the tool costs more than the app. */
async function synthWithoutTool(dir: string, env: NodeJS.ProcessEnv): Promise<Template> {
  const cwd = join(dir, 'infra')
  await expectSuccess('node', ['app.ts'], {cwd, env: {...env, CDK_OUTDIR: 'cdk.out'}})
  const [file] = (await readdir(join(cwd, 'cdk.out'))).filter((name) => name.endsWith('.template.json'))
  return JSON.parse(await readFile(join(cwd, 'cdk.out', file!), 'utf8'))
}

/** What `cdk synth` prints. */
async function synth(dir: string, env: NodeJS.ProcessEnv): Promise<Template> {
  const cwd = join(dir, 'infra')
  const offline = {...env, CDK_DISABLE_CLI_TELEMETRY: 'true', CI: 'true'}
  const {stdout} = await expectSuccess('npx', ['cdk', 'synth', '--json', '--no-notices'], {cwd, env: offline})
  return JSON.parse(stdout)
}

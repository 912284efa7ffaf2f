import {describe, expect, it} from 'vitest'

import {readManifest} from '../../../src/lib/esm/manifest.js'
import {ESMS, IACS, settleAnswers} from '../../../src/lib/scaffold/answers.js'
import {holds} from '../../../src/lib/scaffold/fill.js'
import {renderProject} from '../../../src/lib/scaffold/project.js'
import {listTemplates, withParts} from '../../../src/lib/scaffold/templates.js'

const templates = await listTemplates()

it('no two templates have the same name', () => {
  const names = templates.flatMap(({name, aliases}) => [name, ...aliases])

  expect(names).toEqual([...new Set(names)])
})

describe.each(templates)('$name', (template) => {
  const {presets = {}, refuses = []} = template
  const defaults = Object.fromEntries(Object.entries(template.answers).map(([key, rule]) => [key, rule.default]))
  const goTogether = (given: Record<string, string>) =>
    !refuses.some(({when}) => when.every((condition) => holds(condition, {...defaults, ...given})))
  /** Each value of each answer once, with the defaults for the others, as far as they go together; and what its names answer. */
  const each = Object.entries(template.answers).flatMap(([key, {values = []}]) => values.map((value) => ({[key]: value})))
  const variants = [...each.filter(goTogether), ...Object.values(presets)]
  const everywhere = [...IACS].flatMap((iac) =>
    [...ESMS].flatMap((esm) => ['true', 'false'].map((provisioned) => ({iac, esm, provisioned}))),
  )
  const combinations = everywhere.flatMap((common) => [{}, ...variants].map((own) => ({name: 'orders', ...common, ...own})))

  it.each(combinations)('is filled to the last mark with %j', async (given) => {
    const answers = settleAnswers(template, given)

    const files = await renderProject(template, answers, '0.1.0')

    const texts = [...files].filter(([, text]) => /\{\{[#/]?[\w-]+/.test(text) || text.includes('skk:template'))
    expect(texts.map(([path]) => path)).toEqual([])
    const present = ['README.md', 'package-lock.json', 'src/handler.ts', 'events/golden.json', 'events/hostile.json']
    expect([...files.keys()]).toEqual(expect.arrayContaining(present))
    expect(files.has('template.yaml')).toBe(answers['iac'] === 'sam')
    expect(files.has('infra/stack.ts')).toBe(answers['iac'] === 'cdk')
    expect([...files.values()].join('')).not.toContain('npx skk')
  })

  it.each([{}, ...Object.values(presets)])('has a mapping that `skk esm apply` understands with %j', async (given) => {
    const answers = settleAnswers(template, {name: 'orders', esm: 'post-deploy', ...given})
    const files = await renderProject(template, answers, '0.1.0')
    const manifest = files.get('skk.esm.yaml')
    expect(manifest !== undefined).toBe(withParts(template, answers).mapping !== undefined)

    for (const declared of await readManifest(manifest ?? '', 'skk.esm.yaml')) expect(declared.function).toBe('orders')
  })

  it('has names that are aliases and answer what it asks', () => {
    expect(template.aliases).toEqual(expect.arrayContaining(Object.keys(presets)))
    for (const given of Object.values(presets)) expect(() => settleAnswers(template, {name: 'orders', ...given})).not.toThrow()
  })

  it('pins what it depends on', async () => {
    const files = await renderProject(template, settleAnswers(template, {name: 'orders', iac: 'cdk'}), '0.1.0')

    for (const path of ['package.json', 'infra/package.json']) {
      const {dependencies = {}, devDependencies = {}} = JSON.parse(files.get(path)!)
      const loose = Object.entries({...dependencies, ...devDependencies}).filter(([, version]) => !/^\d/.test(String(version)))
      expect(loose).toEqual([])
    }
  })
})

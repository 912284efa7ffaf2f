import {writeFile} from 'node:fs/promises'
import {join} from 'node:path'

import {describe, expect, it} from 'vitest'

import {esmCli} from '../../support/esm-cli.js'
import type {ScriptOptions} from '../../support/scripted-lambda.js'

const many = (count: number): string =>
  `defaults: {function: f, batchSize: 10, maxRetries: 3}\nmappings:\n${Array.from({length: count}, (_, i) => `  - {topic: topic-${i}}`).join('\n')}\n`

async function applying(options: ScriptOptions = {}) {
  const cli = await esmCli(options)
  const file = join(cli.home.directory, 'work', 'mappings.yaml')
  const args = (more: string[]) => ['apply', '-f', file, '--yes', ...more]
  return {
    ...cli,
    write: (yaml: string) => writeFile(file, yaml),
    apply: (...more: string[]) => cli.esm(...args(more)),
    startApply: (...more: string[]) => cli.start(...args(more)),
  }
}

describe('esm apply', () => {
  it('plans, shows and carries out; a second time changes nothing', async () => {
    const {apply, write, server} = await applying({createMs: 100})
    await write(many(3))

    const first = await apply('--retry', '--json')
    const second = await apply('--retry', '--json')

    expect(first.stderr).toContain('+ f < topic-0: create')
    expect(first.stderr).toMatch(
      /warning: 3 mappings \("f < topic-0", "f < topic-1", "f < topic-2"\): AWS documents maxRetries only/,
    )
    expect(first.stderr).toMatch(/^3 created in \d+\.\d s, 0 calls repeated, 0 throttled$/m)
    expect(JSON.parse(first.stdout)).toMatchObject(Array(3).fill({result: 'created', state: 'Enabled'}))
    expect(JSON.parse(second.stdout)).toMatchObject(Array(3).fill({result: 'unchanged', state: 'Enabled'}))
    expect([first.code, second.code, server.mappings.size]).toEqual([0, 0, 3])
  })

  it('updates what differs, field by field', async () => {
    const {apply, write, server} = await applying()
    await write(many(2))
    await apply()
    await write(many(2).replace('batchSize: 10', 'batchSize: 20'))

    const {code, stderr} = await apply()

    expect(code).toBe(0)
    expect(stderr).toContain('~ f < topic-0: update (batchSize is 10, not 20)')
    expect([...server.mappings.values()].map(({BatchSize}) => BatchSize)).toEqual([20, 20])
  })

  it('with one that cannot be changed changes nothing, and is 6', async () => {
    const {apply, write, server} = await applying()
    await write('mappings: [{function: f, topic: a, startingPosition: latest}]')
    await apply()
    await write('mappings: [{function: f, topic: a, startingPosition: trim-horizon}, {function: f, topic: b}]')

    const {code, stderr} = await apply('--retry')

    expect(code).toBe(6)
    expect(stderr).toContain('startingPosition is "LATEST", not "TRIM_HORIZON"')
    expect(stderr).toContain('1 of 2 mappings exist and are different; nothing was changed')
    expect(server.mappings.size).toBe(1)
  })

  it('with two that would be one is a usage error', async () => {
    const {apply, write} = await applying()
    await write('mappings: [{function: f, topic: a}, {function: f, topic: a}]')

    expect(await apply()).toMatchObject({code: 2, stderr: expect.stringContaining('mapping "f < a" is wanted twice')})
  })

  it('in part is 7: what succeeded stays, and is named', async () => {
    const {apply, write, server} = await applying({missing: ['gone']})
    await write('mappings: [{function: f, topic: a}, {function: gone, topic: a}]')

    const {code, stderr} = await apply('--retry', '--no-preflight')

    expect(code).toBe(7)
    expect(stderr).toContain('1 of 2 mappings failed: "gone < a"')
    expect(server.mappings.size).toBe(1)
  })

  it('--rollback-on-failure deletes what this run made, and nothing else', async () => {
    const {apply, write, server} = await applying({missing: ['gone']})
    await write('mappings: [{function: f, topic: before}]')
    await apply()
    await write('mappings: [{function: f, topic: before}, {function: f, topic: a}, {function: gone, topic: a}]')

    const {code} = await apply('--rollback-on-failure', '--retry', '--no-preflight')

    expect(code).toBe(7)
    expect([...server.mappings.values()].map(({Topics}) => Topics[0])).toEqual(['before'])
  })

  it('--prune deletes only what this manifest made, and needs the number', async () => {
    const {apply, write, server} = await applying()
    await write(many(3))
    await apply()
    server.put('f', 'of-somebody-else')
    await write(many(1))

    const refused = await apply('--prune')
    const wrong = await apply('--prune', '--confirm', '3')
    const before = server.mappings.size
    const agreed = await apply('--prune', '--confirm', '2')

    expect([refused.code, wrong.code, before]).toEqual([2, 2, 4])
    expect(refused.stderr).toContain('- f < topic-2: delete')
    expect(agreed.code).toBe(0)
    expect([...server.mappings.values()].map(({Topics}) => Topics[0]).sort()).toEqual(['of-somebody-else', 'topic-0'])
  })

  it('--prune of an empty file is refused', async () => {
    const {apply, write} = await applying()
    await write('mappings: []')

    expect(await apply('--prune', '--confirm', '0')).toMatchObject({code: 2, stderr: expect.stringContaining('has no mappings')})
  })

  it('two at once of the same 16 make 16, and both are 0', async () => {
    const {apply, write, server} = await applying({latencyMs: 5})
    await write(many(16))

    const both = await Promise.all([apply('--retry'), apply('--retry')])

    expect(both.map(({code, stderr}) => [code, code === 0 ? '' : stderr])).toEqual([
      [0, ''],
      [0, ''],
    ])
    expect(server.mappings.size).toBe(16)
    expect(new Set([...server.mappings.values()].map(({Topics}) => Topics[0])).size).toBe(16)
  })

  it('killed at any point and run again makes 16', async () => {
    for (const kill of [1, 9]) {
      const {apply, startApply, write, server} = await applying({latencyMs: 5})
      await write(many(16))
      const running = startApply('--retry')
      while (server.count('create') < kill && running.child.exitCode === null)
        await new Promise((resolve) => setTimeout(resolve, 2))
      running.child.kill('SIGKILL')
      await running.ended

      const {code, stderr} = await apply('--retry')

      expect(code).toBe(0)
      expect(stderr).toMatch(/going on with a run that did not come to its end; it had made \d+ of 16/)
      expect(server.mappings.size).toBe(16)
    }
  })
})

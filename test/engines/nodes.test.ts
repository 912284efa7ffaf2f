import {join} from 'node:path'

import {describe, expect, test} from 'vitest'

import {installNode} from './install.js'
import {emptyHome, skk} from './skk.js'

describe.each([22, 24, 26] as const)('the built CLI on Node %d', (major) => {
  test('starts a stack, makes a topic, produces, consumes and stops, without a warning', async () => {
    const node = await installNode(major)
    const home = await emptyHome()
    const run = (args: string[], input = '') => skk(args, {node, input, env: home.env})
    const dataDir = ['--data-dir', join(home.dir, 'stack')]
    try {
      const version = await run(['--version'])
      const started = await run([
        'local',
        'start',
        ...dataDir,
        '--port',
        '0',
        '--plaintext-port',
        '0',
        '--http-port',
        '0',
        '--json',
      ])
      const created = await run(['topics', 'create', 'orders', '--partitions', '3'])
      const produced = await run(['produce', 'orders'], 'a\nb\nc\n')
      const consumed = await run(['consume', 'orders'])
      const stopped = await run(['local', 'stop', ...dataDir])

      expect(version.stdout).toContain(`node-v${major}.`)
      expect(JSON.parse(started.stdout)).toMatchObject({
        bootstrap: expect.stringMatching(/^127\.0\.0\.1:\d+$/),
        pid: expect.any(Number),
      })
      expect(consumed.stdout.trim().split('\n').sort()).toEqual(['a', 'b', 'c'])
      for (const {code, stderr} of [version, started, created, produced, consumed, stopped]) {
        expect({code, stderr}).toMatchObject({code: 0})
        expect(stderr).not.toMatch(/warning|deprecat|experimental/i)
      }
    } finally {
      await run(['local', 'stop', ...dataDir])
      await home.remove()
    }
  })

  test('demo ends well', async () => {
    const node = await installNode(major)
    const home = await emptyHome()
    const {code, stdout, stderr} = await skk(['demo'], {node, env: home.env})

    expect({code, stderr}).toMatchObject({code: 0})
    expect(stdout + stderr).toMatch(/10,?000/)
    await home.remove()
  })
})

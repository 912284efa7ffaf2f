import net from 'node:net'
import {afterEach, beforeEach, describe, expect, it} from 'vitest'

import {cleanHome, type Home, skk} from '../support/skk.js'
import {closedPort, listening} from '../support/tunnels.js'

let home: Home

beforeEach(async () => {
  home = await cleanHome()
})
afterEach(() => home.remove())

describe('skk doctor', () => {
  it('exits 2 with the usual hint when no cluster is chosen', async () => {
    const {code, stdout, stderr} = await skk(['doctor'], {home})

    expect({code, stdout}).toEqual({code: 2, stdout: ''})
    expect(stderr).toMatch(/no cluster chosen[\s\S]*`skk local start`/)
  })

  it('shows each layer with its time, and the API versions, when all is well', async () => {
    await home.local()

    const {code, stdout, stderr} = await skk(['doctor'], {home})

    expect({code, stderr}).toEqual({code: 0, stderr: ''})
    expect(stdout).toMatch(/^LAYER +TARGET +RESULT +MS\ncluster +local +ok: 127\.0\.0\.1:\d+ +\d+\n/)
    for (const layer of ['tcp', 'sasl', 'apiVersions', 'metadata'])
      expect(stdout).toMatch(new RegExp(`^${layer} +127\\.0\\.0\\.1:\\d+ +ok: .* \\d+$`, 'm'))
    expect(stdout).toMatch(/^Produce +0-9 +3-7 +ok/m)
  })

  it('prints the same as JSON', async () => {
    await home.local()

    const {code, stdout} = await skk(['doctor', '--json'], {home})

    expect(code).toBe(0)
    const {ok, checks, apiVersions} = JSON.parse(stdout)
    expect(ok).toBe(true)
    expect(checks.map(({layer}: {layer: string}) => layer)).toEqual(['cluster', 'tcp', 'sasl', 'apiVersions', 'metadata'])
    expect(checks[0]).toEqual({
      layer: 'cluster',
      target: 'local',
      ok: true,
      ms: expect.any(Number),
      detail: expect.any(String),
      cause: null,
      fix: null,
    })
    expect(apiVersions).toContainEqual({
      target: expect.any(String),
      key: 0,
      api: 'Produce',
      broker: [0, 9],
      ours: [3, 7],
      status: 'ok',
    })
  })

  it('says that the local stack is stopped, and how to start it', async () => {
    const stack = await home.local()
    await stack.stop()

    const {code, stdout, stderr} = await skk(['doctor', '--json'], {home})

    expect(code).toBe(5)
    expect(JSON.parse(stdout)).toMatchObject({
      ok: false,
      checks: [{layer: 'cluster', target: 'local', ok: false, cause: 'the local stack is not running'}],
    })
    expect(stderr).toContain('`skk local start`')
  })

  it('prints what it found on standard output, and the first cause and fix on standard error', async () => {
    const address = `127.0.0.1:${await closedPort()}`

    const {code, stdout, stderr} = await skk(['doctor', '--bootstrap', address, '--auth', 'none'], {home})

    expect(code).toBe(5)
    expect(stdout).toMatch(new RegExp(`^tcp +${address} +failed: nothing listens on "${address}"`, 'm'))
    expect(stderr).toMatch(new RegExp(`^error: nothing listens on "${address}"\nhint:  Run \`skk local start\``))
  })

  it('says the fix of every further failure, except with --quiet', async () => {
    const ports = [await closedPort(), await listening(net.createServer((socket) => socket.end()))]
    const args = ['doctor', '--bootstrap', ports.map((port) => `127.0.0.1:${port}`).join(','), '--auth', 'none']

    const said = await skk(args, {home})
    const quiet = await skk([...args, '--quiet'], {home})

    expect(said.stderr).toMatch(
      new RegExp(`^127\\.0\\.0\\.1:${ports[1]}, apiVersions: Check that the port is that of a Kafka broker\\.$`, 'm'),
    )
    expect(quiet.stderr).not.toContain('apiVersions')
  })

  it('exits 4 for a wrong secret', async () => {
    const {bootstrap, region} = await home.local()
    const env = {AWS_ACCESS_KEY_ID: 'test', AWS_SECRET_ACCESS_KEY: 'wrong', AWS_REGION: region}

    const {code, stderr} = await skk(['doctor', '--bootstrap', bootstrap], {home, env})

    expect(code).toBe(4)
    expect(stderr).toMatch(/refuses access key "test": Access denied/)
    expect(stderr).not.toContain('wrong')
  })

  it('takes no longer than --timeout', async () => {
    const address = `127.0.0.1:${await listening(net.createServer())}`

    const {code, stdout} = await skk(['doctor', '--bootstrap', address, '--auth', 'none', '--timeout', '200ms', '--json'], {home})

    expect(code).toBe(5)
    const {ms} = JSON.parse(stdout).checks.at(-1)
    expect(ms).toBeGreaterThan(100)
    expect(ms).toBeLessThan(9_000)
  })

  it('exits 2 for a tunnel that is none', async () => {
    const {code, stdout, stderr} = await skk(['doctor', '--bootstrap', 'b:9098', '--via', 'ssh:b:22'], {home})

    expect({code, stdout}).toEqual({code: 2, stdout: ''})
    expect(stderr).toMatch(/"ssh:b:22" is not a tunnel/)
  })
})

import {fileURLToPath} from 'node:url'

import {afterEach, beforeEach, describe, expect, it} from 'vitest'

import {cleanHome, type Home, skk, startSkkOnTerminal} from '../support/skk.js'

const program = fileURLToPath(new URL('fixture/run.js', import.meta.url))

let home: Home
beforeEach(async () => {
  home = await cleanHome()
})
afterEach(() => home.remove())

describe('without a terminal', () => {
  it('everything that is missing is named at once, with the line that would do', async () => {
    const {code, stderr} = await skk(['ask'], {home, program})

    expect(stderr).toContain('error: missing TOPIC and --function and a cluster (--context, --cluster or --bootstrap)')
    expect(stderr).toContain('`skk ask orders --function resize --context local`')
    expect(code).toBe(2)
  })

  it('a silent pipe is not waited for', async () => {
    // The pipe stays open for as long as the command runs: only one that does not wait for it ends.
    const {code} = await skk(['ask'], {home, program, input: {silent: true}})

    expect(code).toBe(2)
  })

  it('a confirmation needs --yes, and the hint keeps what was typed', async () => {
    await home.context('docker', {bootstrap: 'localhost:9092', auth: 'none'})

    const {code, stderr} = await skk(['remove', 'my topic', '--quiet'], {home, program})

    expect(stderr).toContain("`skk remove 'my topic' --quiet --yes`")
    expect(code).toBe(2)
  })

  it('--yes answers', async () => {
    await home.context('docker', {bootstrap: 'localhost:9092', auth: 'none'})

    expect(await skk(['remove', 'orders', '--yes'], {home, program})).toMatchObject({code: 0, stdout: 'deleted orders\n'})
  })
})

describe('on a protected cluster', () => {
  beforeEach(() => home.context('production', {bootstrap: 'localhost:9092', auth: 'none', protected: true}))

  it('--yes is not enough', async () => {
    const {code, stderr} = await skk(['remove', 'orders', '--yes'], {home, program})

    expect(stderr).toContain('error: the cluster is protected: "orders" must be confirmed by name')
    expect(stderr).toContain('`skk remove orders --yes --confirm orders`')
    expect(code).toBe(2)
  })

  it('--confirm NAME is, and another name is not', async () => {
    expect(await skk(['remove', 'orders', '--confirm', 'orders'], {home, program})).toMatchObject({code: 0})
    expect(await skk(['remove', 'orders', '--confirm', 'audit'], {home, program})).toMatchObject({code: 2})
  })

  it('protection follows the cluster, whatever flag names it', async () => {
    await home.context('harmless', {bootstrap: 'LOCALHOST:9092', auth: 'none'})

    expect(await skk(['remove', 'orders', '--yes', '--context', 'harmless'], {home, program})).toMatchObject({code: 2})
    expect(
      await skk(['remove', 'orders', '--yes', '--bootstrap', 'localhost:9092', '--auth', 'none'], {home, program}),
    ).toMatchObject({code: 2})
    expect(
      await skk(['remove', 'orders', '--yes', '--bootstrap', 'localhost:9093', '--auth', 'none'], {home, program}),
    ).toMatchObject({code: 0})
  })

  it('the name is typed on a terminal', async () => {
    const {child, says, ended} = startSkkOnTerminal(['remove', 'orders'], {home, program})
    await says(/type "orders"/)

    child.stdin!.write('orders\r')

    expect(await ended).toMatchObject({code: 0, stdout: expect.stringContaining('deleted orders')})
  })
})

describe('on a terminal', () => {
  it('what is missing is picked or typed, on standard error, and the whole command is echoed', async () => {
    await home.context('docker', {bootstrap: 'localhost:9092', auth: 'none'})
    const {child, says, ended} = startSkkOnTerminal(['ask'], {home, program, redirect: '> answers.json'})
    await says(/Which topic/)
    child.stdin!.write('\x1b[B\r')
    await says(/Which function/)
    child.stdin!.write('thumbnail\r')

    const {code, stdout} = await ended

    expect(stdout).toContain('$ skk ask orders --function thumbnail')
    expect(code).toBe(0)
  })

  it('Ctrl-C in a prompt is 130', async () => {
    await home.context('docker', {bootstrap: 'localhost:9092', auth: 'none'})
    const {child, says, ended} = startSkkOnTerminal(['remove', 'orders'], {home, program})
    await says(/Delete topic/)

    child.stdin!.write('\x03')

    expect(await ended).toMatchObject({code: 130})
  })

  it('no is the default, and changes nothing', async () => {
    await home.context('docker', {bootstrap: 'localhost:9092', auth: 'none'})
    const {child, says, ended} = startSkkOnTerminal(['remove', 'orders'], {home, program})
    await says(/Delete topic/)

    child.stdin!.write('\r')

    expect(await ended).toMatchObject({code: 2, stdout: expect.stringContaining('cancelled, nothing was changed')})
  })

  it('nothing is asked in CI or for a program', async () => {
    expect(await startSkkOnTerminal(['ask'], {home, program, env: {CI: 'true'}}).ended).toMatchObject({code: 2})
    expect(await startSkkOnTerminal(['ask', '--json'], {home, program}).ended).toMatchObject({code: 2})
  })
})

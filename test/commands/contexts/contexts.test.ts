import {readFile} from 'node:fs/promises'
import {join} from 'node:path'

import {afterEach, beforeEach, describe, expect, it} from 'vitest'

import {cleanHome, type Home, skk} from '../../support/skk.js'

let home: Home
beforeEach(async () => {
  home = await cleanHome()
})
afterEach(() => home.remove())

const contexts = (line: string, env: NodeJS.ProcessEnv = {}) => skk(['contexts', ...line.split(' ')], {home, env})
const file = async () => JSON.parse(await readFile(join(home.configDir, 'contexts.json'), 'utf8'))

describe('contexts set', () => {
  it('makes a context, the first one the current one, and prints what it holds', async () => {
    const {code, stdout} = await contexts('set staging --cluster orders --region eu-west-1 --profile work --json')

    expect(code).toBe(0)
    expect(JSON.parse(stdout)).toEqual({
      name: 'staging',
      current: true,
      cluster: 'orders',
      region: 'eu-west-1',
      credentials: {profile: 'work'},
    })
    expect(await file()).toEqual({
      version: 1,
      current: 'staging',
      contexts: {staging: {cluster: 'orders', region: 'eu-west-1', credentials: {profile: 'work'}}},
    })
  })

  it('changes only what is said, replaces a cluster by a bootstrap, and takes settings away', async () => {
    await contexts('set staging --cluster orders --region eu-west-1 --via socks5://localhost:1080 --protected')

    await contexts('set staging --bootstrap b:9098 --no-protected --unset via')

    expect((await file()).contexts.staging).toEqual({bootstrap: 'b:9098', region: 'eu-west-1', protected: false})
  })

  it.each([
    ['set staging', 'says nothing about a cluster'],
    ['set staging --bootstrap host', '"host" is not an address of a broker'],
    ['set staging --cluster x/y', '"x/y" is neither the name nor the ARN of an MSK cluster'],
    ['set a/b --cluster x', '"a/b" cannot be the name of a context'],
    ['set staging --bootstrap h:1 --no-tls', 'would send IAM tokens in the clear'],
    ['set staging --cluster x --via ssh://h:1', '"ssh://h:1" is not a tunnel'],
    ['set mine --credentials local --region eu-west-1', 'the local stack has its own'],
    ['set mine --cluster x --endpoint-url nowhere', '"nowhere" is not a URL'],
  ])('`%s` is refused', async (line, message) => {
    const {code, stderr} = await contexts(line)

    expect(stderr).toContain(message)
    expect(code).toBe(2)
  })

  it('changes nothing under --dry-run', async () => {
    expect(await contexts('set staging --cluster orders --dry-run')).toMatchObject({
      code: 0,
      stderr: 'would set context "staging"\n',
    })
    await expect(file()).rejects.toThrow('ENOENT')
  })
})

describe('contexts use', () => {
  beforeEach(async () => {
    await home.context('staging', {cluster: 'a'})
    await home.context('production', {cluster: 'b'})
  })

  it('makes a context the current one', async () => {
    const {code, stdout} = await contexts('use production --json')

    expect(code).toBe(0)
    expect(JSON.parse(stdout)).toEqual({current: 'production', previous: 'staging'})
    expect((await file()).current).toBe('production')
  })

  it('of an unknown context is 3 with the nearest name', async () => {
    const {code, stderr} = await contexts('use prodution')

    expect(stderr).toContain('Did you mean "production"?')
    expect(code).toBe(3)
  })

  it('says that SKK_CONTEXT comes first', async () => {
    expect((await contexts('use production', {SKK_CONTEXT: 'staging'})).stderr).toContain(
      'warning: SKK_CONTEXT is set to "staging" and comes first',
    )
  })

  it('without a name and a terminal names what is missing', async () => {
    const {code, stderr} = await skk(['contexts', 'use'], {home})

    expect(stderr).toContain('error: missing NAME\nhint:  Run `skk contexts use staging`')
    expect(code).toBe(2)
  })
})

describe('contexts list', () => {
  it('marks the one that applies, whatever chose it', async () => {
    await home.context('one', {bootstrap: 'localhost:9092', auth: 'none'})
    await home.context('two', {cluster: 'orders', credentials: {profile: 'work'}, protected: true})

    expect((await contexts('list')).stdout).toMatchInlineSnapshot(`
      "   NAME  CLUSTER         REGION  AUTH  CREDENTIALS   VIA  PROTECTED
      *  one   localhost:9092          none  default
         two   orders                  iam   profile work       yes
      "
    `)
    expect((await contexts('list --query [?current].name', {SKK_CONTEXT: 'two'})).stdout).toBe('[\n  "two"\n]\n')
  })

  it('without any is empty, not an error', async () => {
    expect(await contexts('list --json')).toMatchObject({code: 0, stdout: '[]\n'})
    expect(await contexts('list')).toMatchObject({code: 0, stdout: '', stderr: expect.stringContaining('No contexts.')})
  })
})

describe('contexts delete', () => {
  beforeEach(async () => {
    await home.context('one', {cluster: 'a'})
    await home.context('two', {cluster: 'b'})
  })

  it('needs --yes without a terminal, and leaves no current one when it deletes that', async () => {
    expect(await contexts('delete one')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('`skk contexts delete one --yes`'),
    })

    expect(await contexts('delete one --yes --json')).toMatchObject({code: 0, stdout: expect.stringContaining('"current": null')})

    expect(await file()).toEqual({version: 1, contexts: {two: {cluster: 'b'}}})
  })

  it('of an unknown one is 3', async () => {
    expect(await contexts('delete three --yes')).toMatchObject({code: 3})
  })
})

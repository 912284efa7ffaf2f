import {fileURLToPath} from 'node:url'

import {afterAll, beforeAll, describe, expect, it} from 'vitest'

import {cleanHome, type Home, skk} from '../support/skk.js'

const fixture = fileURLToPath(new URL('fixture/run.js', import.meta.url))

let home: Home
beforeAll(async () => {
  home = await cleanHome()
})
afterAll(() => home.remove())

const ended = (line: string, options: {program?: string; env?: NodeJS.ProcessEnv} = {}) =>
  skk(line.split(' '), {home, ...options})

describe('a usage error', () => {
  it.each([
    ['contexts list --fromat', 'unknown flag "--fromat"'],
    ['contexts list --auth kerberos', '--auth takes one of iam, none, not "kerberos"'],
    ['contexts list --region', '--region needs a value'],
    ['contexts list --region a --region b', '--region can be given only once'],
    ['topics create a --partitions zero', '--partitions: "zero" is not a whole number'],
    ['topics create a --partitions 0', '--partitions: 0 is less than 1'],
    ['local start --port 99999', '--port: 99999 is more than 65535'],
    ['contexts list --plain --query name', '--query does not go with --plain'],
    ['contexts list --timeout soon', '--timeout: "soon" is not a duration'],
    ['contexts list orders', 'unexpected argument "orders"'],
    ['contexts list --quiet orders', 'unexpected argument "orders"'],
    ['contexts list --cluster a --bootstrap b:1', '--cluster does not go with --bootstrap'],
    ['contexts set --unset everything', '--unset takes one of cluster, '],
    ['--quiet contexts list', '"--quiet" stands before the command'],
    ['contexts lst', 'unknown command "contexts lst"'],
    ['frobnicate', 'unknown command "frobnicate"'],
    ['contexts list --query [', 'cannot apply --query: '],
  ])('`skk %s` is one short line and exit 2', async (line, message) => {
    const {code, stdout, stderr} = await ended(line)

    expect(stderr).toContain(`error: ${message}`)
    expect(stderr.length).toBeLessThan(400)
    expect({code, stdout}).toEqual({code: 2, stdout: ''})
  })

  it('under --json is one line of JSON on standard error', async () => {
    const {code, stdout, stderr} = await ended('contexts list --json --jsn')

    expect(JSON.parse(stderr)).toEqual({
      error: {
        code: 'USAGE',
        message: 'unknown flag "--jsn"',
        exitCode: 2,
        hint: 'Did you mean `--json`? Run `skk contexts list --help` to see what it takes.',
        retryable: false,
      },
    })
    expect(stderr.trim().split('\n')).toHaveLength(1)
    expect({code, stdout}).toEqual({code: 2, stdout: ''})
  })

  it('of an unknown command under --json has the same shape and the nearest command', async () => {
    const {code, stderr} = await ended('contexts lsit --json')

    expect(JSON.parse(stderr).error).toMatchObject({
      code: 'USAGE',
      exitCode: 2,
      hint: expect.stringContaining('`skk contexts list`'),
    })
    expect(code).toBe(2)
  })

  it('names the way in which skk was started', async () => {
    const {stderr} = await ended('contexts lsit', {env: {npm_command: 'exec'}})

    expect(stderr).toContain('Did you mean `npx skk contexts list`?')
  })
})

it('a missing argument is named as it is written in the help', async () => {
  const {code, stderr} = await ended('remove', {program: fixture})

  expect(stderr).toContain('error: missing TOPIC\n')
  expect(code).toBe(2)
})

describe('a bug', () => {
  it('exits 1 with one line, a way to report it and no stack', async () => {
    const {code, stdout, stderr} = await ended('crash', {program: fixture})

    expect(stderr.split('\n')[0]).toMatch(/^error: cannot read \\x1b\[2Jproperties of /)
    expect(stderr).toContain('hint:  This is a bug in skk')
    expect(stderr).not.toContain('    at ')
    expect({code, stdout}).toEqual({code: 1, stdout: ''})
  })

  it('shows its stack under --debug, without secrets', async () => {
    const {code, stderr} = await ended('crash --debug', {program: fixture})

    expect(stderr).toContain('    at ')
    expect(stderr).not.toContain('ASIAIOSFODNN7EXAMPLE')
    expect(stderr).not.toContain('5d41402abc4b2a76b9719d911017c592')
    expect(stderr).not.toContain('\x1b')
    expect(code).toBe(1)
  })

  it('under --json is a failure of code BUG', async () => {
    const {code, stderr} = await ended('crash --json', {program: fixture})

    expect(JSON.parse(stderr).error).toMatchObject({code: 'BUG', exitCode: 1})
    expect(code).toBe(1)
  })

  it('that nobody waited for has the same shape', async () => {
    const {code, stderr} = await ended('stray --json', {program: fixture})

    expect(JSON.parse(stderr).error).toMatchObject({code: 'BUG', exitCode: 1, message: 'nobody waits for me'})
    expect(code).toBe(1)
  })
})

describe('foreign text', () => {
  it('cannot act on a terminal, in a table or in JSON', async () => {
    const table = await ended('show', {program: fixture})
    const json = await ended('show --json', {program: fixture})

    const harmful = /[\0-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e]/
    expect(table.stdout).not.toMatch(harmful)
    expect(table.stdout).toContain('esc\\x1b]52;c;AAAA\\x07 c1\\x9b2J bidi\\u202e tab\\t line\\n end')
    expect(json.stdout).not.toMatch(harmful)
    expect(JSON.parse(json.stdout)[1].name).toBe('esc\x1b]52;c;AAAA\x07 c1\x9b2J bidi\u202e tab\t line\n end')
  })
})

describe('output', () => {
  it('is the same table in a pipe, TSV under --plain, and the queried value under --query', async () => {
    const table = await ended('show', {program: fixture})
    const plain = await ended('show --plain', {program: fixture})
    const query = await ended('show --query [0].name', {program: fixture})
    const nothing = await ended('show --query [7]', {program: fixture})

    expect(
      table.stdout
        .split('\n')
        .slice(0, 2)
        .map((line) => line.trimEnd().split(/ +/)),
    ).toEqual([
      ['NAME', 'COUNT'],
      ['plain', '1'],
    ])
    expect(plain.stdout.split('\n')[0]).toBe('plain\t1')
    expect(query.stdout).toBe('"plain"\n')
    expect(nothing.stdout).toBe('null\n')
  })

  it('has no colour in a pipe, nor on request when NO_COLOR is set', async () => {
    const plain = await ended('contexts lst', {env: {NO_COLOR: ''}})
    const forced = await ended('contexts lst', {env: {NO_COLOR: '', FORCE_COLOR: '1'}})
    const denied = await ended('contexts lst', {env: {NO_COLOR: '1', FORCE_COLOR: '1'}})

    expect(plain.stderr).not.toContain('\x1b[')
    expect(forced.stderr).toContain('\x1b[31merror:')
    expect(denied.stderr).not.toContain('\x1b[')
  })
})

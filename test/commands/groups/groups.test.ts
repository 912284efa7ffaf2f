import {readFile, stat, writeFile} from 'node:fs/promises'
import {join} from 'node:path'

import {afterAll, beforeAll, describe, expect, it} from 'vitest'

import type {Local} from '../../../src/lib/local/index.js'
import {startMember} from '../../support/member.js'
import {cleanHome, type Ended, type Home, skk, startSkk, startSkkOnTerminal} from '../../support/skk.js'

let home: Home
let local: Local
beforeAll(async () => {
  home = await cleanHome()
  local = await home.local({plaintextPort: {wanted: 0, mayMove: true}})
  await run('topics create orders --partitions 2')
  await skk(['produce', 'orders', '--partition', '0'], {home, input: '1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n'})
})
afterAll(() => home.remove())

const run = (line: string): Promise<Ended> => skk(line.split(' '), {home})
const json = async (line: string): Promise<any> => JSON.parse((await run(`${line} --json`)).stdout)

/** A group that has committed in partition 0. */
const groupAt = async (group: string, offset: number): Promise<void> => {
  await run(`groups reset ${group} --topic orders --partition 0 --to ${offset} --yes`)
}

const committed = async (group: string): Promise<(number | null)[]> =>
  (await json(`groups describe ${group}`)).partitions.map(({committedOffset}: any) => committedOffset)

describe('groups list', () => {
  it('has the state and the number of members of each', async () => {
    await groupAt('listed', 1)
    await startMember(local.plaintextBootstrap!, 'listed-alive', 'orders')

    const {code, stdout} = await run('groups list --plain')

    expect(code).toBe(0)
    expect(stdout.split('\n')).toEqual(expect.arrayContaining(['listed\tEmpty\t0', 'listed-alive\tStable\t1']))
    expect(await json('groups list')).toContainEqual({name: 'listed-alive', state: 'Stable', members: 1})
  })
})

describe('groups describe', () => {
  it('shows lag in records and in time by partition', async () => {
    await groupAt('described', 4)

    const {stdout} = await run('groups describe described')

    expect(stdout).toMatch(/^described +Empty +0 +\d+ \(127\.0\.0\.1:\d+\) +6 +\w+/m)
    expect(stdout).toMatch(/^orders +0 +4 +10 +6 +\w+ +-$/m)
    const group = await json('groups describe described')
    expect(group).toMatchObject({name: 'described', state: 'Empty', lag: 6, lagMs: expect.any(Number), members: []})
    expect(group.partitions[0]).toMatchObject({topic: 'orders', committedOffset: 4, earliestOffset: 0, endOffset: 10, lag: 6})
  })

  it('shows who is in the group and reads what', async () => {
    await startMember(local.plaintextBootstrap!, 'described-alive', 'orders', 'invoices')

    const {stdout} = await run('groups describe described-alive')

    expect(stdout).toMatch(/^invoices-\S+ +invoices +127\.0\.0\.1 +- +orders 0,1$/m)
  })

  it('of a group that does not exist is exit 3 with the nearest name', async () => {
    await groupAt('shipments', 1)

    expect(await run('groups describe shipmnts')).toMatchObject({
      code: 3,
      stderr: expect.stringContaining('error: group "shipmnts" does not exist\nhint:  Did you mean "shipments"?'),
    })
  })

  it('fails over a bound in records or in time, exit 6, after it has shown the lag', async () => {
    await groupAt('late', 4)

    const over = await run('groups describe late --fail-over 5 --json')
    expect(over.code).toBe(6)
    expect(JSON.parse(over.stdout)).toMatchObject({lag: 6})
    expect(JSON.parse(over.stderr)).toMatchObject({error: {code: 'LAG_OVER_BOUND', exitCode: 6}})
    expect(await run('groups describe late --fail-over 1ms')).toMatchObject({
      code: 6,
      stderr: expect.stringContaining('error: group "late" lags by more than 1ms in "orders" 0'),
    })
    expect((await run('groups describe late --fail-over 6')).code).toBe(0)
    expect((await run('groups describe late --fail-over 1d')).code).toBe(0)
    expect((await run('groups describe late --fail-over soon')).code).toBe(2)
  })

  it('with --watch prints JSON Lines until it is stopped', async () => {
    await groupAt('watched', 4)
    const {child, says, ended} = startSkk('groups describe watched --watch --interval 50ms --json'.split(' '), {home})
    await says(/\n.*\n.*\n/)
    child.kill('SIGINT')

    const {code, stdout} = await ended

    expect(code).toBe(130)
    const looks = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
    expect(looks.length).toBeGreaterThan(2)
    expect(looks[2]).toMatchObject({name: 'watched', lag: 6, timeToClearMs: null})
  })
})

describe('groups reset', () => {
  it('shows what it would do and does nothing without a yes', async () => {
    await groupAt('careful', 4)

    const {code, stdout, stderr} = await run('groups reset careful --topic orders --partition 0 --to latest')

    expect(stdout).toMatch(/^orders +0 +4 +10 +\+6 +6 +0$/m)
    expect(stderr).toContain('--yes')
    expect(code).toBe(2)
    expect(await run('groups reset careful --topic orders --partition 0 --to latest --dry-run')).toMatchObject({code: 0, stdout})
    expect(await committed('careful')).toEqual([4, null])
  })

  it('does it after a typed yes', async () => {
    await groupAt('typed', 4)
    const line = 'groups reset typed --topic orders --partition 0 --to earliest'
    const {child, says, ended} = startSkkOnTerminal(line.split(' '), {home})
    await says(/Reset 1 partition of group "typed"\?/)
    child.stdin!.write('y\r')

    expect((await ended).code).toBe(0)
    expect(await committed('typed')).toEqual([0, null])
  })

  it('writes a file that only its owner may read, which undoes it', async () => {
    await groupAt('undone', 4)

    const {undoFile} = await json('groups reset undone --topic orders --to latest --yes')

    expect(await committed('undone')).toEqual([10, 0])
    expect((await stat(undoFile)).mode & 0o777).toBe(0o600)
    expect(JSON.parse(await readFile(undoFile, 'utf8'))).toMatchObject({
      version: 1,
      group: 'undone',
      cluster: local.clusterArn,
      offsets: [
        {topic: 'orders', partition: 0, offset: 4},
        {topic: 'orders', partition: 1, offset: null},
      ],
    })
    expect((await run(`groups reset undone --from-file ${undoFile} --yes`)).code).toBe(0)
    expect(await committed('undone')).toEqual([4, null])
  })

  it('never writes over a file, and then changes nothing', async () => {
    await groupAt('kept', 4)
    const file = join(home.directory, 'precious.json')
    await writeFile(file, 'precious')

    const {code, stderr} = await run(`groups reset kept --topic orders --to latest --undo-file ${file} --yes`)

    expect(stderr).toContain('Nothing was changed')
    expect(code).toBe(9)
    expect(await readFile(file, 'utf8')).toBe('precious')
    expect(await committed('kept')).toEqual([4, null])
  })

  it('takes the offsets of another group, and makes a group that does not exist', async () => {
    await groupAt('source', 7)

    const {code, stderr} = await run('groups reset clone --to-group source --yes')

    expect(stderr).toContain('group "clone" does not exist yet; the reset makes it')
    expect(code).toBe(0)
    expect(await committed('clone')).toEqual([7, null])
    expect(await run('groups reset clone --to-group source --yes')).toMatchObject({
      code: 0,
      stderr: expect.stringContaining('nothing to do'),
    })
  })

  it('refuses a group with members, names them, and does not disturb them', async () => {
    const member = await startMember(local.plaintextBootstrap!, 'alive', 'orders', 'invoices')

    const {code, stderr} = await run('groups reset alive --topic orders --to earliest --yes')

    expect(stderr).toContain('error: group "alive" is in use: it is Stable with 1 member, "invoices" on 127.0.0.1')
    expect(code).toBe(6)
    expect(member.joins).toBe(1)
  })

  it('says what is wrong with a file of offsets, exit 9', async () => {
    const file = join(home.directory, 'offsets.json')
    await writeFile(file, '{"offsets": [{"topic": "orders", "partition": 0, "offset": -1}]}')

    const bad = await run(`groups reset any --from-file ${file} --yes`)

    expect(bad.stderr).toContain('does not hold the offsets of a group: entry 1 is not')
    expect(bad.code).toBe(9)
    expect((await run('groups reset any --from-file nowhere.json --yes')).code).toBe(9)
  })

  it('wants the name of the group on a protected cluster', async () => {
    await groupAt('guarded', 4)
    await home.context('guard', {credentials: 'local', protected: true}, {use: false})
    const line = 'groups reset guarded --context guard --topic orders --partition 0 --to latest'

    expect(await run(`${line} --yes`)).toMatchObject({code: 2, stderr: expect.stringContaining('--confirm guarded')})
    expect((await run(`${line} --confirm guarded`)).code).toBe(0)
    // The stack is protected by whatever context names it so.
    await run('contexts delete guard --yes')
  })

  it('names everything that is missing at once, and what is no place', async () => {
    expect(await run('groups reset')).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(
        /missing GROUP and --topic and --to\n.*`skk groups reset billing --topic orders --to earliest`/,
      ),
    })
    expect(await run('groups reset any --topic orders --to yesterday')).toMatchObject({code: 2})
  })
})

describe('groups delete', () => {
  it('needs --yes without a terminal, and deletes with it', async () => {
    await groupAt('doomed', 1)

    expect(await run('groups delete doomed')).toMatchObject({code: 2, stderr: expect.stringContaining('--yes')})
    expect(await run('groups delete doomed --dry-run')).toMatchObject({code: 0, stdout: 'would delete group "doomed"\n'})
    expect(await run('groups delete doomed --yes')).toMatchObject({code: 0, stdout: 'deleted group "doomed"\n'})
    expect((await run('groups describe doomed')).code).toBe(3)
  })

  it('of one that does not exist is exit 3, of one with members 6', async () => {
    await startMember(local.plaintextBootstrap!, 'busy', 'orders')

    expect((await run('groups delete nowhere --yes')).code).toBe(3)
    expect(await run('groups delete busy --yes')).toMatchObject({code: 6, stderr: expect.stringContaining('1 member')})
  })

  it('deletes what can be deleted of several, exit 7', async () => {
    await groupAt('half', 1)

    expect(await run('groups delete half nowhere --yes')).toMatchObject({code: 7, stdout: 'deleted group "half"\n'})
  })
})

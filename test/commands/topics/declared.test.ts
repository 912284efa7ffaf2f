import {readFile, writeFile} from 'node:fs/promises'
import {join} from 'node:path'

import {afterAll, beforeAll, beforeEach, describe, expect, it} from 'vitest'

import {cleanHome, type Ended, type Home, skk, startSkkOnTerminal} from '../../support/skk.js'

let home: Home
let file: string
let prefix: string
let next = 0
beforeAll(async () => {
  home = await cleanHome()
  await home.local()
  file = join(home.directory, 'work', 'topics.yaml')
})
afterAll(() => home.remove())
beforeEach(() => {
  next += 1
  prefix = `p${next}.`
})

const run = (line: string): Promise<Ended> => skk(line.split(' '), {home})
const json = async (line: string): Promise<any> => JSON.parse((await run(`${line} --json`)).stdout)
const write = (yaml: string) => writeFile(file, yaml.replaceAll('P.', prefix))
const namesOf = async (): Promise<string[]> =>
  (await json('topics list')).map(({name}: {name: string}) => name).filter((name: string) => name.startsWith(prefix))

const TWO = `
prefix: P.
topics:
  - {name: P.a, partitions: 3, config: {retention.ms: 86400000}}
  - {name: P.b, config: {cleanup.policy: compact}}
`

describe('topics apply', () => {
  it('shows the difference as a table, makes it, and finds nothing the second time', async () => {
    await write(TWO)

    const first = await run('topics apply -f topics.yaml --yes')
    const second = await run('topics apply -f topics.yaml')

    expect(first.stdout.split('\n').map((line) => line.trim().split(/\s+/))).toEqual([
      ['TOPIC', 'ACTION', 'WHAT', 'FROM', 'TO', 'RECORDS'],
      [`${prefix}a`, 'create', 'partitions', '-', '3', '-'],
      [`${prefix}a`, 'create', 'retention.ms', '-', '86400000', '-'],
      [`${prefix}b`, 'create', 'partitions', '-', '1', '-'],
      [`${prefix}b`, 'create', 'cleanup.policy', '-', 'compact', '-'],
      [''],
    ])
    expect(first.stderr).toContain('2 to create, 0 to alter, 0 to delete, 0 as wanted')
    expect(first.stderr).toContain(`created topic "${prefix}a"`)
    expect([first.code, second.code]).toEqual([0, 0])
    expect(second.stderr).toContain('0 to create, 0 to alter, 0 to delete, 2 as wanted')
    expect(second.stderr).not.toContain('acting on')
  })

  it('alters what is different', async () => {
    await write(TWO)
    await run('topics apply -f topics.yaml --yes')
    await write(TWO.replace('partitions: 3', 'partitions: 5').replace('86400000', '1000'))

    const results = await json('topics apply -f topics.yaml --yes')

    expect(results).toMatchObject([
      {
        name: `${prefix}a`,
        status: 'altered',
        changes: [
          {field: 'partitions', from: 3, to: 5},
          {field: 'retention.ms', from: '86400000', to: '1000'},
        ],
      },
      {name: `${prefix}b`, status: 'unchanged'},
    ])
    const [{partitions, configs}] = await json(`topics describe ${prefix}a`)
    expect(partitions).toHaveLength(5)
    expect(configs).toContainEqual(expect.objectContaining({name: 'retention.ms', value: '1000'}))
  })

  it('asks first, and changes nothing on a dry run', async () => {
    await write(TWO)

    expect(await run('topics apply -f topics.yaml')).toMatchObject({code: 2, stderr: expect.stringContaining('--yes')})
    expect(await json('topics apply -f topics.yaml --dry-run')).toMatchObject([
      {status: 'would create'},
      {status: 'would create'},
    ])
    expect(await namesOf()).toEqual([])
  })

  it('with one topic that cannot become as the file says changes nothing, exit 6', async () => {
    await write('topics: [{name: P.a, partitions: 4}]')
    await run('topics apply -f topics.yaml --yes')
    await write('topics: [{name: P.a, partitions: 2}, {name: P.new}]')

    const {code, stderr} = await run('topics apply -f topics.yaml --yes')

    expect(stderr).toContain(`error: topic "${prefix}a": it has 4 partitions, and they can only become more; nothing was changed`)
    expect(code).toBe(6)
    expect(await namesOf()).toEqual([`${prefix}a`])
  })

  it('knows the quota before anything is sent', async () => {
    await write('topics: [{name: P.a, partitions: 2401}]')

    const {code, stderr} = await run('topics apply -f topics.yaml --yes')

    expect(stderr).toMatch(/error: the cluster would have 24\d\d partitions, and MSK Serverless allows 2400/)
    expect(code).toBe(6)
  })

  it('is exit 7 when some failed, and what succeeded stays', async () => {
    await run(`topics create ${prefix}a_b`)
    await write('topics: [{name: P.x}, {name: P.a.b}, {name: P.y}]')

    const {code, stderr} = await run('topics apply -f topics.yaml --yes')

    expect(stderr).toContain(`error: 1 of 3 topics failed: "${prefix}a.b"`)
    expect(code).toBe(7)
    expect(await namesOf()).toEqual([`${prefix}a_b`, `${prefix}x`, `${prefix}y`])
  })

  it('without a file is exit 9, and with an empty one exit 2', async () => {
    await write('')

    expect(await run('topics apply -f nowhere.yaml')).toMatchObject({code: 9})
    expect(await run('topics apply -f topics.yaml --prune --confirm 1 --yes')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('has no topics'),
    })
  })
})

describe('topics apply --prune', () => {
  it('lists what goes with its records, and needs the number', async () => {
    await run(`topics create ${prefix}a ${prefix}old`)
    await skk(['produce', `${prefix}old`], {home, input: '1\n2\n3\n'})
    await run(`topics create not-${prefix}old`)
    await write('{prefix: P., topics: [{name: P.a}]}')

    const yes = await run('topics apply -f topics.yaml --prune --yes')
    expect(yes.stdout).toMatch(/old\s+delete\s+partitions\s+1\s+-\s+3/)
    expect(yes.stderr).toContain('--prune would delete 1 topic; nothing was changed')
    expect(yes.code).toBe(2)
    expect(await run('topics apply -f topics.yaml --prune --confirm 2 --yes')).toMatchObject({code: 2})
    expect(await namesOf()).toHaveLength(2)

    expect(await run('topics apply -f topics.yaml --prune --confirm 1')).toMatchObject({code: 0})
    expect(await namesOf()).toEqual([`${prefix}a`])
    expect((await json('topics list')).map(({name}: any) => name)).toContain(`not-${prefix}old`)
  })

  it('takes the number typed on a terminal', async () => {
    await run(`topics create ${prefix}a ${prefix}old`)
    await write('{prefix: P., topics: [{name: P.a}]}')
    const {child, says, ended} = startSkkOnTerminal(['topics', 'apply', '-f', 'topics.yaml', '--prune'], {home})
    await says(/Type the number of topics to delete \(1\):/)
    child.stdin!.write('1\r')

    expect(await ended).toMatchObject({code: 0})
    expect(await namesOf()).toEqual([`${prefix}a`])
  })

  it('needs a prefix', async () => {
    await write('topics: [{name: P.a}]')

    const {code, stderr} = await run('topics apply -f topics.yaml --prune --confirm 1 --yes')

    expect(stderr).toContain('has no prefix, so --prune cannot know which topics are its own')
    expect(code).toBe(2)
  })

  it('deletes nothing when something failed before', async () => {
    await run(`topics create ${prefix}a_b ${prefix}old`)
    await write('{prefix: P., topics: [{name: P.a.b}, {name: P.a_b2}]}')

    const {code} = await run('topics apply -f topics.yaml --prune --confirm 2 --yes')

    expect(code).toBe(7)
    expect(await namesOf()).toEqual([`${prefix}a_b`, `${prefix}a_b2`, `${prefix}old`])
  })

  it('on a protected cluster needs the name of each', async () => {
    await run(`topics create ${prefix}a ${prefix}old`)
    await write('{prefix: P., topics: [{name: P.a}]}')
    await home.context('guarded', {credentials: 'local', protected: true})

    const counted = await run('topics apply -f topics.yaml --context guarded --prune --confirm 1 --yes')
    expect(counted).toMatchObject({code: 2, stderr: expect.stringContaining(`--confirm ${prefix}old`)})
    const named = await run(`topics apply -f topics.yaml --context guarded --prune --confirm 1 --confirm ${prefix}old`)
    expect(named).toMatchObject({code: 0})
  })
})

describe('topics plan', () => {
  it('--check is exit 6 on drift, and 0 without', async () => {
    await write(TWO)

    expect(await run('topics plan -f topics.yaml')).toMatchObject({code: 0})
    const drift = await run('topics plan -f topics.yaml --check')
    expect(drift.code).toBe(6)
    expect(drift.stderr).toContain('error: 2 of 2 topics are not as "topics.yaml" says')
    await run('topics apply -f topics.yaml --yes')
    expect(await run('topics plan -f topics.yaml --check')).toMatchObject({code: 0})
    await run(`topics alter ${prefix}a --config retention.ms=5`)
    expect(await run('topics plan -f topics.yaml --check')).toMatchObject({code: 6})
  })

  it('prints the steps as JSON also when it fails', async () => {
    await write('topics: [{name: P.a}]')

    const {code, stdout} = await run('topics plan -f topics.yaml --check --json')

    expect(code).toBe(6)
    expect(JSON.parse(stdout)).toEqual([
      {name: `${prefix}a`, action: 'create', changes: [{field: 'partitions', from: null, to: 1}]},
    ])
  })
})

describe('topics export', () => {
  it('prints what plan finds nothing different from', async () => {
    await run(`topics create ${prefix}a --partitions 3 --config retention.ms=86400000 --config cleanup.policy=compact`)
    await run(`topics create ${prefix}b --config message.timestamp.difference.max.ms=9223372036854775807`)

    const {stdout} = await run(`topics export --prefix ${prefix}`)
    await writeFile(file, stdout)

    expect(stdout).toBe(`prefix: ${prefix}
topics:
  - name: ${prefix}a
    partitions: 3
    config:
      cleanup.policy: compact
      retention.ms: 86400000
  - name: ${prefix}b
    partitions: 1
    config:
      message.timestamp.difference.max.ms: 9223372036854775807
`)
    expect(await readFile(file, 'utf8')).toBe(stdout)
    expect(await run('topics plan -f topics.yaml --check --prune')).toMatchObject({code: 0})
  })
})

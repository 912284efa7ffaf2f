import {randomBytes} from 'node:crypto'
import {chmod, mkdir, readFile, stat, symlink, utimes, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {setTimeout as delay} from 'node:timers/promises'

import {afterAll, beforeAll, describe, expect, it} from 'vitest'

import type {Local} from '../../src/lib/local/index.js'
import {run as runProgram} from '../engines/processes.js'
import {cleanHome, type Ended, type Home, type RunOptions, skk, startSkk} from '../support/skk.js'
import {makeTopic, type TopicOptions} from '../support/topic.js'
import {recordsOf} from '../support/topic-records.js'

const RUN = join(import.meta.dirname, '../../bin/run.js')

const seed = Number(process.env['SKK_SEED'] ?? randomBytes(4).readUInt32BE())
console.log(`SKK_SEED=${seed}`)

let home: Home
let local: Local
beforeAll(async () => {
  home = await cleanHome()
  local = await home.local({plaintextPort: {wanted: 0, mayMove: true}})
})
afterAll(() => home.remove())

const run = (line: string, options: Partial<RunOptions> = {}): Promise<Ended> => skk(line.split(' '), {home, ...options})

let names = 0
const topic = (options?: TopicOptions): Promise<string> => makeTopic(local, `resumed-${++names}`, options)

async function file(content: string): Promise<string> {
  const directory = join(home.directory, 'work', `input-${++names}`)
  await mkdir(directory)
  const path = join(directory, 'orders.jsonl')
  await writeFile(path, content)
  return path
}

const keyed = (count: number): string => Array.from({length: count}, (_, i) => `key-${i % 97}:${i}\n`).join('')
const plain = (count: number): string => Array.from({length: count}, (_, i) => `${i}\n`).join('')
const closing = ({stderr}: Ended): string => stderr.split('\n').find((line) => line.includes(' read = '))!
const token = async (path: string) => JSON.parse(await readFile(`${path}.skk-resume`, 'utf8'))

/** Deterministic, so that a seed tells the moments of the kills. */
function* randoms(): Generator<number> {
  for (let state = seed || 1; ; ) {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    yield (state >>> 0) / 2 ** 32
  }
}

/** A run that ends at a bad line, with everything before it written and all else unsent. */
async function unfinished(topicName: string, {flags = ''} = {}): Promise<string> {
  const path = await file('a:1\nb:2\nno separator\nc:3\n')
  const {code} = await run(`produce ${topicName} --file ${path} --key-separator :${flags}`)
  expect(code).toBe(9)
  return path
}

describe('a run that was killed', () => {
  const random = randoms()
  const rounds = [
    {what: 'keyed records', lines: keyed, flags: '--key-separator :'},
    {what: 'keyless records', lines: plain, flags: ''},
    {what: 'compressed records', lines: keyed, flags: '--key-separator : --compression gzip'},
  ]

  it.each(rounds)(
    'at any moment, and resumed until it is through, has written each of the $what once and in order',
    async ({lines, flags}) => {
      const count = 150_000
      const name = await topic({partitions: 3})
      const path = await file(lines(count))
      // At this rate a batch of each partition leaves twenty times in a second, so that a kill finds some on their way, and the
      // run lasts longer than a busy machine takes to kill it.
      const args = ['produce', name, '--file', path, '--rate', '60000/s', ...flags.split(' ').filter(Boolean)]
      let kills = 0
      for (let round = 0; round < 4; round++) {
        const {child, ended} = startSkk([...args, ...(round > 0 ? ['--resume'] : [])], {home})
        const over = ended.then(() => true)
        const sent = await journalLines(path)
        while (!(await Promise.race([over, delay(5, false)])) && (await journalLines(path)) <= sent);
        await delay(random.next().value! * 400)
        child.kill('SIGKILL')
        if ((await ended).signal === 'SIGKILL') kills++
      }

      const last = await skk([...args, '--resume'], {home})

      expect(last.code).toBe(0)
      expect([0, count]).toContain(Number(/^(\d+) read/m.exec(closing(last))![1]))
      const partitions = await recordsOf(local, name)
      const values = partitions.flat().map(({value}) => Number(value))
      expect(values).toHaveLength(count)
      expect(new Set(values).size).toBe(count)
      for (const records of partitions) expectOrderWithinKeys(records)
      expect(await token(path)).toMatchObject({state: 'done', topic: name})
      expect(kills).toBeGreaterThan(1)
    },
    120_000,
  )
})

/** How much a run has begun or done so far. */
async function journalLines(path: string): Promise<number> {
  const text = await readFile(`${path}.skk-resume.journal`, 'utf8').catch(() => '')
  return text.split('\n').length
}

/** Keyless records have an order within the partition as they all are of one key. */
function expectOrderWithinKeys(records: readonly {key: string | null; value: string}[]): void {
  const last = new Map<string | null, number>()
  for (const {key, value} of records) {
    if (Number(value) <= (last.get(key) ?? -1)) throw new Error(`${value} of key ${key} stands after ${last.get(key)}`)
    last.set(key, Number(value))
  }
}

describe('a token', () => {
  it('stays, done and private, and makes a second run begin anew', async () => {
    const name = await topic()
    const path = await file('a\nb\n')

    await run(`produce ${name} --file ${path}`)
    const content = await token(path)
    const {mode} = await stat(`${path}.skk-resume`)
    const again = await run(`produce ${name} --file ${path}`)

    expect(content).toMatchObject({state: 'done', topic: name, partitions: 1})
    expect(mode & 0o777).toBe(0o600)
    expect(again.code).toBe(0)
    expect((await recordsOf(local, name)).flat()).toHaveLength(4)
  })

  it('of a finished run leaves nothing to resume', async () => {
    const name = await topic()
    const path = await file('a\n')
    await run(`produce ${name} --file ${path}`)

    const {code, stderr} = await run(`produce ${name} --file ${path} --resume`)

    expect(code).toBe(0)
    expect(stderr).toContain('an earlier run has written all of it')
    expect((await recordsOf(local, name)).flat()).toHaveLength(1)
  })

  it('is not needed by --resume, which then begins at the start and says so', async () => {
    const name = await topic()
    const path = await file('a\n')

    const {code, stderr} = await run(`produce ${name} --file ${path} --resume`)

    expect(code).toBe(0)
    expect(stderr).toContain('there was no earlier run to resume')
    expect((await recordsOf(local, name)).flat()).toHaveLength(1)
  })

  it('of an unfinished run is exit 6 without --resume, and gone with --restart', async () => {
    const name = await topic()
    const path = await unfinished(name)

    const refused = await run(`produce ${name} --file ${path} --key-separator : --on-error skip`)
    const restarted = await run(`produce ${name} --file ${path} --key-separator : --on-error skip --restart`)

    expect(refused.code).toBe(6)
    expect(refused.stderr).toContain('`--resume`')
    expect(restarted.code).toBe(7)
    expect(closing(restarted)).toBe('4 read = 3 acked + 1 rejected + 0 unknown + 0 unsent')
    expect((await recordsOf(local, name)).flat().map(({value}) => value)).toEqual(['1', '2', '1', '2', '3'])
  })

  it.each([
    ['is no JSON', '{"format":1,'],
    ['lacks its parts', '{"format":1,"state":"unfinished"}'],
    ['is of another version', '{"format":2}'],
  ])('that %s is exit 6, and nothing is sent', async (_, content) => {
    const name = await topic()
    const path = await file('a\n')
    await writeFile(`${path}.skk-resume`, content)

    for (const way of ['--resume', '--restart']) {
      const {code, stderr} = await run(`produce ${name} --file ${path} ${way}`)

      expect(code).toBe(6)
      expect(stderr).toContain(`"${path}.skk-resume" is no token of this version of skk`)
      expect(stderr).toContain('hint:  Remove it if it is of no use, or name another place with `--resume-file`.')
    }
    expect(await readFile(`${path}.skk-resume`, 'utf8')).toBe(content)
    expect((await recordsOf(local, name)).flat()).toHaveLength(0)
  })

  it('lets a run go on with a record that was too large before', async () => {
    const name = await topic({config: {'max.message.bytes': '1000'}})
    const large = 'x'.repeat(2_000)
    const path = await file(`a:1\na:${large}\na:2\n${keyed(2_000)}`)
    const line = `produce ${name} --file ${path} --key-separator : --on-error skip --rate 1000/s`
    const {child, ended} = startSkk(line.split(' '), {home})
    await expect.poll(() => journalLines(path), {timeout: 60_000}).toBeGreaterThan(6)
    child.kill('SIGINT')
    expect((await ended).code).toBe(130)
    await run(`topics alter ${name} --config max.message.bytes=100000`)

    const resumed = await run(`${line} --resume`)

    expect(resumed.code, resumed.stderr).toBe(0)
    expect(closing(resumed)).toBe('2003 read = 2003 acked + 0 rejected + 0 unknown + 0 unsent')
    const values = (await recordsOf(local, name)).flat().map(({value}) => value)
    expect(values).toHaveLength(2_003)
    expect(values.filter((value) => value === large)).toHaveLength(1)
  })

  it('keeps the partition that records without key began with', async () => {
    const name = await topic({partitions: 50})
    const path = await file('1\nno JSON\n2\n')
    const line = `produce ${name} --file ${path} --format json`

    expect(await run(line)).toMatchObject({code: 9})
    const {firstPartition} = await token(path)
    expect(await run(`${line} --on-error skip --resume`)).toMatchObject({code: 7})

    const partitions = await recordsOf(local, name)
    expect(partitions[firstPartition]!.map(({value}) => value)).toEqual(['1', '2'])
  })

  it('lets --id-header name each record of the input as the earlier run has', async () => {
    const name = await topic()
    const path = await file('{"value":"a","headers":[["h","1"]]}\n{"value":"b"}\nbad\n{"value":"c"}\n')
    const line = `produce ${name} --file ${path} --format records --id-header id`
    expect(await run(line)).toMatchObject({code: 9})

    expect(await run(`${line} --on-error skip --resume`)).toMatchObject({code: 7})
    await run(`produce ${name} --format records --id-header id`, {input: '{"value":"d"}\n'})

    const {stdout} = await run(`consume ${name} --json`)
    const records = stdout
      .trim()
      .split('\n')
      .map((text) => JSON.parse(text))
    const [id, other] = [0, 3].map((at) => records[at].headers.at(-1)[1].split(':')[0])
    expect(id).toMatch(/^[0-9a-f]{16}$/)
    expect(other).not.toBe(id)
    expect(records.map(({value, headers}) => [value, headers])).toEqual([
      [
        'a',
        [
          ['h', '1'],
          ['id', `${id}:0`],
        ],
      ],
      ['b', [['id', `${id}:1`]]],
      ['c', [['id', `${id}:3`]]],
      ['d', [['id', `${other}:0`]]],
    ])
    expect(await run(`produce ${name} --id-header=`, {input: ''})).toMatchObject({code: 2})
  })

  it('lets a run go on behind what it had written', async () => {
    const name = await topic()
    const path = await unfinished(name)
    const report = join(home.directory, 'work', 'report.jsonl')

    const resumed = await run(
      `produce ${name} --file ${path} --key-separator : --on-error skip --resume --report ${report} --json`,
    )

    expect(resumed.code).toBe(7)
    expect(JSON.parse(resumed.stdout)).toMatchObject({read: 4, acked: 3, rejected: 1, unsent: 0, resumed: 2})
    expect((await recordsOf(local, name)).flat().map(({value}) => value)).toEqual(['1', '2', '3'])
    const outcomes = (await readFile(report, 'utf8'))
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
    expect(outcomes.sort((a, b) => a.line - b.line)).toEqual([
      {source: path, line: 1, status: 'acked', partition: 0, offset: 0},
      {source: path, line: 2, status: 'acked', partition: 0, offset: 1},
      {source: path, line: 3, status: 'rejected', reason: 'it has no ":", so no key'},
      {source: path, line: 4, status: 'acked', partition: 0, offset: 2},
    ])
  })

  it('of a run that has sent nothing is not left to stand in the way of the next', async () => {
    const name = await topic()
    const path = await file('a\n')

    const refused = await run(`produce ${name} --file ${path} --report ${home.directory}/missing/report`)
    const again = await run(`produce ${name} --file ${path}`)

    expect(refused.code).toBe(9)
    expect(again.code).toBe(0)
    expect((await recordsOf(local, name)).flat()).toHaveLength(1)
  })

  it('lets a run go on whose report could not be written', async () => {
    const name = await topic()
    const path = await file('a\nb\n')

    const full = await run(`produce ${name} --file ${path} --report /dev/full`)
    const resumed = await run(`produce ${name} --file ${path} --report ${path}.report --resume`)

    expect([full.code, closing(full)]).toEqual([9, '2 read = 2 acked + 0 rejected + 0 unknown + 0 unsent'])
    expect(full.stderr).toContain('error: cannot write "/dev/full"')
    expect(full.stderr).toContain('resume: skk produce')
    expect(resumed.code).toBe(0)
    expect((await readFile(`${path}.report`, 'utf8')).split('\n')).toHaveLength(3)
    expect((await recordsOf(local, name)).flat()).toHaveLength(2)
  })

  it('names the command that goes on', async () => {
    const name = await topic()
    const path = await file('a:1\nb\n')

    const {stderr} = await run(`produce ${name} --file ${path} --key-separator :`)

    expect(stderr).toContain(`resume: skk produce ${name} --file ${path} --key-separator : --resume`)
  })

  it.each([
    ['content', (path: string) => writeFile(path, 'a:1\nb:2\nno separatoR\nc:3\n')],
    ['time', (path: string) => utimes(path, new Date(), new Date(Date.now() + 5_000))],
    ['size', (path: string) => writeFile(path, 'a:1\n')],
  ])('does not fit an input whose %s has changed: exit 9, and nothing is sent', async (_, change) => {
    const name = await topic()
    const path = await unfinished(name)
    await change(path)

    const {code, stderr} = await run(`produce ${name} --file ${path} --key-separator : --on-error skip --resume`)

    expect(code).toBe(9)
    expect(stderr).toContain(`"${path}" has changed since the run to be resumed`)
    expect((await recordsOf(local, name)).flat()).toHaveLength(2)
  })

  it('does not fit another topic, or other flags: exit 6', async () => {
    const [name, other] = [await topic(), await topic()]
    const path = await unfinished(name)

    expect(await run(`produce ${other} --file ${path} --key-separator : --resume`)).toMatchObject({code: 6})
    const flags = await run(`produce ${name} --file ${path} --key-separator = --resume`)

    expect(flags.code).toBe(6)
    expect(flags.stderr).toContain('had another --key-separator')
  })

  it('does not fit a topic that was made anew: exit 6', async () => {
    const name = await topic()
    const path = await unfinished(name)
    await run(`topics delete ${name} --yes`)
    await run(`topics create ${name}`)

    const {code, stderr} = await run(`produce ${name} --file ${path} --key-separator : --on-error skip --resume`)

    expect(code).toBe(6)
    expect(stderr).toContain('had reached offset 2, and ends at 0 now')
  })

  it('that cannot be written is exit 9, before anything is sent', async () => {
    const name = await topic()
    const path = await file('a\n')

    const {code, stderr} = await run(`produce ${name} --file ${path} --resume-file ${home.directory}/missing/token`)

    expect(code).toBe(9)
    expect(stderr).toContain('`--resume-file`')
    expect((await recordsOf(local, name)).flat()).toHaveLength(0)
  })

  it('whose journal finds no room on the disk is exit 9, before anything is sent', async () => {
    const name = await topic()
    const path = await file('a\n')
    await symlink('/dev/full', `${path}.skk-resume.journal`)

    const {code, stderr} = await run(`produce ${name} --file ${path}`)

    expect(code).toBe(9)
    expect(stderr).toContain('no space left on device')
    expect(closing({stderr} as Ended)).toBe('1 read = 0 acked + 0 rejected + 0 unknown + 1 unsent')
    expect((await recordsOf(local, name)).flat()).toHaveLength(0)
  })

  it('whose journal was cut in the middle of a line by a full disk misses no batch that was sent', async () => {
    const name = await topic({config: {'max.message.bytes': '1000'}})
    const path = await file(plain(2_000))
    const line = ['produce', name, '--file', path]
    // A limit on the size of files stands for the disk: the line that reaches it is taken in part.
    const limited = `trap '' XFSZ; ulimit -f 3; exec '${process.execPath}' '${RUN}' "$@"`

    const full = await runProgram('bash', ['-c', limited, 'bash', ...line], {env: home.env})
    const journal = await readFile(`${path}.skk-resume.journal`, 'utf8')
    const resumed = await run(`${line.join(' ')} --resume`)

    expect([full.code, full.stderr]).toEqual([9, expect.stringContaining('cannot write')])
    expect(journal.endsWith('\n')).toBe(false)
    expect(resumed.code).toBe(0)
    const values = (await recordsOf(local, name)).flat().map(({value}) => Number(value))
    expect(values).toEqual(Array.from({length: 2_000}, (_, i) => i))
  })

  it.each([
    ['is no JSON', '{"batch":0,"partition":0,"prod'],
    ['is of another kind', '7'],
    ['lacks what names the records', '{"batch":0,"partition":0}'],
    ['tells of a batch that was never sent', '{"acked":5,"offset":0}'],
  ])('whose journal has a line that %s is exit 9 with the line, and nothing is sent', async (_, line) => {
    const name = await topic()
    const path = await unfinished(name)
    const journal = `${path}.skk-resume.journal`
    await writeFile(journal, `${line}\n${await readFile(journal, 'utf8')}`)

    const {code, stderr} = await run(`produce ${name} --file ${path} --key-separator : --on-error skip --resume`)

    expect(code).toBe(9)
    expect(stderr).toContain(`error: line 1 of "${journal}" is damaged`)
    expect(stderr).toContain('`--restart`')
    expect((await recordsOf(local, name)).flat()).toHaveLength(2)
  })

  it('may lie elsewhere', async () => {
    const name = await topic()
    const path = await file('a\n')
    const elsewhere = join(home.directory, 'work', 'elsewhere')
    await chmod(join(path, '..'), 0o500)

    const {code} = await run(`produce ${name} --file ${path} --resume-file ${elsewhere}`)

    await chmod(join(path, '..'), 0o700)
    expect(code).toBe(0)
    expect(JSON.parse(await readFile(elsewhere, 'utf8'))).toMatchObject({state: 'done'})
  })

  it('serves one run at a time: the second is exit 6 and names the first', async () => {
    const name = await topic()
    const fifo = await file(plain(400_000))
    const {child, ended, says} = startSkk(['produce', name, '--file', fifo, '--rate', '1000/s'], {home})
    await says(/acting on/)
    await expect
      .poll(
        () =>
          stat(`${fifo}.skk-resume.lock`).then(
            () => true,
            () => false,
          ),
        {timeout: 15_000},
      )
      .toBe(true)

    const second = await run(`produce ${name} --file ${fifo}`)
    child.kill('SIGINT')

    expect(second.code).toBe(6)
    expect(second.stderr).toContain(`the process with pid ${child.pid} is working with "${fifo}.skk-resume"`)
    expect((await ended).code).toBe(130)
  })

  it('is not kept for standard input, which is said once', async () => {
    const name = await topic()

    const fine = await run(`produce ${name}`, {input: 'a\n'})
    const refused = await run(`produce ${name} --resume`, {input: 'a\n'})

    expect(fine.stderr.match(/cannot be resumed/g)).toHaveLength(1)
    expect(refused.code).toBe(2)
  })

  it('outlives SIGINT, after which --resume finishes', async () => {
    const name = await topic({partitions: 2})
    const path = await file(plain(20_000))
    const {child, ended, says} = startSkk(['produce', name, '--file', path, '--rate', '5000/s'], {home})
    await says(/acting on/)
    await delay(1_500)
    child.kill('SIGINT')
    const stopped = await ended

    const resumed = await run(`produce ${name} --file ${path} --rate 5000/s --resume`)

    expect(stopped.code).toBe(130)
    expect(stopped.stderr).toContain('resume: skk produce')
    expect(resumed.code).toBe(0)
    expect(closing(resumed)).toBe('20000 read = 20000 acked + 0 rejected + 0 unknown + 0 unsent')
    const values = (await recordsOf(local, name)).flat().map(({value}) => Number(value))
    expect(values.sort((a, b) => a - b)).toEqual(Array.from({length: 20_000}, (_, i) => i))
  })
})

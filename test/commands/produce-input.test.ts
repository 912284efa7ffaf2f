import {createHash} from 'node:crypto'
import {mkdir, readFile, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {gzipSync} from 'node:zlib'

import {afterAll, beforeAll, describe, expect, it} from 'vitest'

import type {Local} from '../../src/lib/local/index.js'
import {cleanHome, type Ended, type Home, type RunOptions, skk, startSkkOnTerminal} from '../support/skk.js'
import {makeTopic, type TopicOptions} from '../support/topic.js'

let home: Home
let local: Local
beforeAll(async () => {
  home = await cleanHome()
  local = await home.local({plaintextPort: {wanted: 0, mayMove: true}})
})
afterAll(() => home.remove())

const run = (args: string | readonly string[], options: Partial<RunOptions> = {}): Promise<Ended> =>
  skk(typeof args === 'string' ? args.split(' ') : args, {home, ...options})

let names = 0
const topic = (options?: TopicOptions): Promise<string> => makeTopic(local, `input-${++names}`, options)

async function files(contents: Record<string, string | Buffer>): Promise<string> {
  const directory = join(home.directory, 'work', `files-${++names}`)
  for (const [name, content] of Object.entries(contents)) {
    await mkdir(join(directory, name, '..'), {recursive: true})
    await writeFile(join(directory, name), content)
  }
  return directory
}

type Envelope = {key: string | null; value: string | null; headers: [string, string][]; timestamp: string}
async function consumed(name: string): Promise<Envelope[]> {
  const {stdout} = await run(`consume ${name} --json`)
  return stdout
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line))
}

const JSON_LINES = `{"id":"a","at":"2026-11-20T10:00:00.123Z","trace":{"n":1},"big":12345678901234567890}
{"id":7,"at":1000}
{"at":"1970-01-01T00:00:02Z","trace":null}
`

describe('--format json', () => {
  it('keeps each line as it is, and takes key, time and headers out of it', async () => {
    const name = await topic()

    const {code} = await run(
      ['produce', name, '--format', 'json', '--key-path', 'id', '--timestamp-path', 'at', '--header-path', 'trace=trace.n'],
      {input: JSON_LINES},
    )

    const [first, second, third] = await consumed(name)
    expect(code).toBe(0)
    expect([first, second, third].map((record) => `${record!.value}\n`).join('')).toBe(JSON_LINES)
    expect(first).toMatchObject({key: 'a', timestamp: '2026-11-20T10:00:00.123Z', headers: [['trace', '1']]})
    expect(second).toMatchObject({key: '7', timestamp: '1970-01-01T00:00:01.000Z', headers: []})
    expect(third).toMatchObject({key: null, timestamp: '1970-01-01T00:00:02.000Z', headers: []})
  })

  it.each([
    ['broken', '{"a":1}\n{"a":\n', /line 2 of "standard input", byte 8: it is no JSON/],
    ['not UTF-8', Buffer.from('{"a":"\xff"}\n', 'latin1'), /line 1 .* not UTF-8/],
    ['without a time', '{"at":"soon"}\n', /line 1 .* its time is "soon"/],
  ])('stops at a line that is %s: exit 9, with its place', async (_, content, message) => {
    const name = await topic()
    const directory = await files({input: content})

    const {code, stderr} = await run(`produce ${name} --format json --timestamp-path at||\`0\` --file ${directory}/input`)

    expect(code).toBe(9)
    expect(stderr.replaceAll(join(directory, 'input'), 'standard input')).toMatch(message)
  })

  it('with a path that is no JMESPath is exit 2', async () => {
    expect(await run('produce orders --format json --key-path a[')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('--key-path'),
    })
  })
})

describe('--format csv', () => {
  const csv = 'id,note\r\na,"two\nlines, quoted ""so"""\r\nb\r\n\r\nc,ü\r\n'

  it('makes a row an object, and skips bad rows into the file of rejects', async () => {
    const name = await topic()
    const directory = await files({'in.csv': csv})
    const [rejects, report] = [join(directory, 'rejects'), join(directory, 'report')]

    const {code, stderr} = await run(
      `produce ${name} --format csv --key-path id --on-error skip --file ${directory}/in.csv --rejects ${rejects} --report ${report}`,
    )

    expect(code).toBe(7)
    expect(stderr).toContain('3 read = 2 acked + 1 rejected + 0 unknown + 0 unsent')
    const records = await consumed(name)
    expect(records.map(({key, value}) => [key, JSON.parse(value!)])).toEqual([
      ['a', {id: 'a', note: 'two\nlines, quoted "so"'}],
      ['c', {id: 'c', note: 'ü'}],
    ])
    expect(await readFile(rejects, 'utf8')).toBe('b\n')
    const lines = (await readFile(report, 'utf8')).trim().split('\n')
    expect(Object.fromEntries(lines.map((line) => [JSON.parse(line).line, JSON.parse(line).status]))).toEqual({
      2: 'acked',
      4: 'rejected',
      6: 'acked',
    })
  })

  it('stops at a bad row, with its line and byte: exit 9', async () => {
    const name = await topic()

    const {code, stderr} = await run(`produce ${name} --format csv`, {input: csv})

    expect(code).toBe(9)
    expect(stderr).toContain(`line 4 of "standard input", byte ${csv.indexOf('b\r\n')}: `)
    expect(await consumed(name)).toHaveLength(1)
  })
})

describe('inputs', () => {
  it('--format raw makes each file of a directory one record, in the order of their names', async () => {
    const name = await topic()
    const directory = await files({'b.bin': 'line\nline\n', 'a.bin': '', '.hidden': 'no', 'deep/c.bin': 'no'})

    const {code} = await run(`produce ${name} --format raw --file ${directory} --key k`)
    const again = await run(`produce ${name} --format raw --file ${directory} --key k --resume`)

    expect([code, again.code]).toEqual([0, 0])
    expect(await consumed(name)).toMatchObject([
      {key: 'k', value: ''},
      {key: 'k', value: 'line\nline\n'},
    ])
  })

  it('whose names end in .gz are unzipped; a broken one is exit 9', async () => {
    const name = await topic()
    const zipped = gzipSync('a\nb\n')
    const directory = await files({'good.gz': zipped, 'bad.gz': zipped.subarray(0, zipped.length - 9)})

    expect(await run(`produce ${name} --file ${directory}/good.gz`)).toMatchObject({code: 0})
    expect(await run(`produce ${name} --file ${directory}/bad.gz`)).toMatchObject({
      code: 9,
      stderr: expect.stringContaining(`cannot read "${directory}/bad.gz"`),
    })
    expect((await consumed(name)).slice(0, 2).map(({value}) => value)).toEqual(['a', 'b'])
  })

  it('are read again with --repeat, and no further than --limit', async () => {
    const name = await topic()
    const directory = await files({'a.txt': '1\n2\n', 'b.txt': '3'})

    const {stderr} = await run(`produce ${name} --file ${directory} --repeat 3 --limit 7`)

    expect(stderr).toContain('7 read = 7 acked')
    expect((await consumed(name)).map(({value}) => value).join('')).toBe('1231231')
  })

  it('that change while they are read are exit 9', async () => {
    const name = await topic()
    const directory = await files({input: 'a\n'.repeat(3_000)})
    const path = join(directory, 'input')
    const running = run(`produce ${name} --file ${path} --rate 2000/s`)
    await expect.poll(() => readFile(`${path}.skk-resume`, 'utf8').catch(() => ''), {timeout: 15_000}).not.toBe('')
    await writeFile(path, 'b\n', {flag: 'a'})

    expect(await running).toMatchObject({code: 9, stderr: expect.stringContaining('has changed while it was read')})
  })

  it('may be generated, the same for the same seed', async () => {
    const name = await topic()
    const args = [
      'produce',
      name,
      '--generate',
      '{{counter}} {{uuid}} {{random red blue}} {{now}}',
      '--seed',
      '5',
      '--limit',
      '20',
    ]

    await run(args)
    await run(args)
    await run([...args.slice(0, -3), '6', '--limit', '1'])

    const values = (await consumed(name)).map(({value}) => value!)
    const withoutTime = values.map((value) => value.split(' ').slice(0, 3).join(' '))
    expect(values).toHaveLength(41)
    expect(withoutTime.slice(0, 20)).toEqual(withoutTime.slice(20, 40))
    expect(withoutTime[40]).not.toBe(withoutTime[0])
    values.slice(0, 20).forEach((value, index) => {
      expect(value).toMatch(
        new RegExp(`^${index} [0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12} (red|blue) 20\\d\\d-.*Z$`),
      )
    })
    expect(new Set(withoutTime.slice(0, 20).map((value) => value.split(' ')[2]))).toEqual(new Set(['red', 'blue']))
  })

  it.each([['{{counter}'], ['a{{nothing}}'], ['a{{random}}']])(
    'generated from %s are exit 2 where that means nothing',
    async (template) => {
      const {code} = await run(['produce', 'orders', '--generate', template, '--limit', '0', '--topic', 'x'])

      expect(code).toBe(template === '{{counter}' ? 3 : 2)
    },
  )
})

describe('flags of produce', () => {
  it('make tombstones of what means null', async () => {
    const [first, second] = [await topic(), await topic()]

    await run(`produce ${first} --key-separator : --null-value NULL`, {input: 'k:NULL\nk:\nNULL:v\n'})
    await run(`produce ${second} --key-separator : --empty-as-null`, {input: 'k:\nk:v\n'})

    expect((await consumed(first)).map(({key, value}) => [key, value])).toEqual([
      ['k', null],
      ['k', ''],
      ['NULL', 'v'],
    ])
    expect((await consumed(second)).map(({value}) => value)).toEqual([null, 'v'])
  })

  it('stamp records', async () => {
    const name = await topic()

    await run(`produce ${name} --timestamp 2026-11-20T10:00`, {input: 'a\n'})
    await run(`produce ${name} --timestamp 1000`, {input: 'b\n'})

    expect((await consumed(name)).map(({timestamp}) => timestamp)).toEqual([
      '2026-11-20T10:00:00.000Z',
      '1970-01-01T00:00:01.000Z',
    ])
    expect(await run(`produce ${name} --timestamp yesterday`)).toMatchObject({code: 2})
  })

  it('that do not go with the format are exit 2, and say with which they go', async () => {
    const {code, stderr} = await run('produce orders --format json --key-separator :')

    expect(code).toBe(2)
    expect(stderr).toContain('`--format lines`')
  })

  it('keep a rate', async () => {
    const name = await topic()
    const started = performance.now()

    const {stderr} = await run(`produce ${name} --rate 100/s`, {input: 'x\n'.repeat(200)})

    expect(stderr).toContain('200 read = 200 acked')
    expect(performance.now() - started).toBeGreaterThan(1_900)
    expect(await run(`produce ${name} --rate fast`)).toMatchObject({code: 2})
  })

  it('with --acks 1 are not idempotent', async () => {
    const name = await topic()

    const {stdout} = await run(`produce ${name} --acks 1 --json`, {input: 'a\n'})

    expect(JSON.parse(stdout)).toMatchObject({acked: 1, idempotent: false})
  })

  it.each(['snappy', 'lz4', 'zstd'])('compress a large load with %s in a second thread, byte for byte', async (codec) => {
    const name = await topic({partitions: 3})
    // Batches that compress well and badly in turn, so that the bytes of a large one are there when a small one follows.
    const noise = (i: number): string => createHash('sha512').update(String(i)).digest('base64').repeat(3)
    const line = (i: number): string => `${i} ${i % 4_000 < 2_000 ? 'some words '.repeat(90) : noise(i)}\n`
    const lines = Array.from({length: 24_000}, (_, i) => line(i))
    const directory = await files({input: lines.join('')})

    const {stderr} = await run(`produce ${name} --compression ${codec} --file ${directory}/input`)

    expect(stderr).toContain('24000 read = 24000 acked')
    const values = (await run(`consume ${name}`)).stdout.split(/(?<=\n)/)
    expect(values.sort().join('') === lines.sort().join('')).toBe(true)
  })

  it('say what compression would have saved of a large load', async () => {
    const name = await topic()
    const directory = await files({input: `${'{"order":"the same words in every line","n":0}'.repeat(20)}\n`.repeat(40_000)})

    const plain = await run(`produce ${name} --file ${directory}/input`)
    const compressed = await run(`produce ${name} --file ${directory}/input --compression zstd`)

    expect(plain.stderr).toMatch(/sent 3\d MB; `--compression zstd` would have made about \d MB of it/)
    expect(compressed.stderr).not.toContain('would have')
  })

  it('reject a record that is too large by its line, into the file of rejects', async () => {
    const name = await topic({config: {'max.message.bytes': '1000'}})
    const directory = await files({input: `k:a\nk:${'x'.repeat(2_000)}\nk:b\n`})

    const {code} = await run(
      `produce ${name} --key-separator : --file ${directory}/input --on-error skip --rejects ${directory}/rejects`,
    )

    expect(code).toBe(7)
    expect(await readFile(`${directory}/rejects`, 'utf8')).toBe(`k:${'x'.repeat(2_000)}\n`)
    expect((await consumed(name)).map(({value}) => value)).toEqual(['a', 'b'])
  })

  it('show on a terminal how far it has come', async () => {
    const name = await topic()
    const directory = await files({input: 'x\n'.repeat(400_000)})
    const {ended} = startSkkOnTerminal(['produce', name, '--file', `${directory}/input`, '--rate', '300000/s'], {home})

    const {code, stdout} = await ended

    expect(code).toBe(0)
    expect(stdout).toMatch(/\[#+\.*\] \d+% \d+ acked, \d+\.\d MB\/s, \d+ s left/)
  })
})

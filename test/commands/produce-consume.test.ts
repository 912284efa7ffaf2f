import {randomBytes} from 'node:crypto'
import {mkdtemp, readFile, writeFile} from 'node:fs/promises'
import {join} from 'node:path'

import fc from 'fast-check'
import {afterAll, beforeAll, describe, expect, it} from 'vitest'

import type {Local} from '../../src/lib/local/index.js'
import {cleanHome, type Ended, type Home, type RunOptions, skk, startSkk, startSkkOnTerminal} from '../support/skk.js'
import {makeTopic, type TopicOptions} from '../support/topic.js'

let home: Home
let local: Local
beforeAll(async () => {
  home = await cleanHome()
  local = await home.local({plaintextPort: {wanted: 0, mayMove: true}})
})
afterAll(() => home.remove())

const run = (line: string, options: Partial<RunOptions> = {}): Promise<Ended> => skk(line.split(' '), {home, ...options})

let topics = 0
const topic = (options?: TopicOptions): Promise<string> => makeTopic(local, `topic-${++topics}`, options)

async function file(content: string | Buffer): Promise<string> {
  const path = join(await mkdtemp(join(home.directory, 'input-')), 'input.txt')
  await writeFile(path, content)
  return path
}

const numbers = (count: number): string => Array.from({length: count}, (_, i) => `${i}\n`).join('')
const lastLine = (text: string): string => text.trimEnd().split('\n').at(-1)!

describe('produce, then consume', () => {
  it('gives back every line of a file, and the counts', async () => {
    const name = await topic({partitions: 3})

    const produced = await run(`produce ${name} --file ${await file(numbers(10_000))}`)
    const consumed = await run(`consume ${name}`)

    expect(produced).toMatchObject({code: 0, stdout: ''})
    expect(lastLine(produced.stderr)).toBe('10000 read = 10000 acked + 0 rejected + 0 unknown + 0 unsent')
    expect(consumed.code).toBe(0)
    expect(
      consumed.stdout
        .trim()
        .split('\n')
        .map(Number)
        .sort((a, b) => a - b),
    ).toEqual(Array.from({length: 10_000}, (_, i) => i))
  })

  it.each(['gzip', 'snappy', 'lz4', 'zstd'])('works with %s', async (codec) => {
    const name = await topic()

    await run(`produce ${name} --compression ${codec}`, {input: numbers(1_000)})

    expect((await run(`consume ${name}`)).stdout).toBe(numbers(1_000))
  })

  it('reads several files, and standard input as -', async () => {
    const name = await topic()

    await run(`produce --topic ${name} -f ${await file('a\n')} -f - -f ${await file('c')}`, {input: 'b\n'})

    expect((await run(`consume --topic ${name}`)).stdout).toBe('a\nb\nc\n')
  })

  it('leaves every byte as it is', async () => {
    const name = await topic()
    const bytes = Buffer.concat([randomBytes(5_000), Buffer.from('\r\n\u2028\n\n')])
    const output = join(home.directory, 'work', 'bytes')

    const {stderr} = await run(`produce ${name} --file ${await file(bytes)}`)
    await run(`consume ${name} --output-file ${output}`)

    expect(await readFile(output)).toEqual(bytes)
    expect(stderr.match(/CR LF/g)).toHaveLength(1)
  })

  it('takes keys, headers and a partition', async () => {
    const name = await topic({partitions: 2})

    await run(`produce ${name} --key-separator : --header source=test --header source=again --partition 1`, {
      input: 'k:v:w\n:empty\n',
    })

    const records = (await run(`consume ${name} --json`)).stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
    const headers = [
      ['source', 'test'],
      ['source', 'again'],
    ]
    expect(records).toMatchObject([
      {topic: name, partition: 1, offset: 0, key: 'k', value: 'v:w', headers},
      {partition: 1, offset: 1, key: '', value: 'empty', headers},
    ])
  })

  it('through envelopes is the identity on key, value, headers and timestamp', async () => {
    const bytes = fc.oneof(
      fc.string({unit: 'binary', maxLength: 20}).map((text) => Buffer.from(text)),
      fc.uint8Array({maxLength: 20}).map((array) => Buffer.from(array)),
    )
    const json = (value: Buffer | null) => (value === null ? null : {base64: value.toString('base64')})
    const record = fc.record({
      key: fc.option(bytes).map(json),
      value: fc.option(bytes).map(json),
      headers: fc.array(
        fc.tuple(bytes, fc.option(bytes)).map(([key, value]) => [json(key), json(value)]),
        {maxLength: 4},
      ),
      timestamp: fc.oneof(fc.integer({min: 0, max: 2 ** 42}), fc.constant(0)),
    })
    const [lines] = fc.sample(
      fc.array(
        record.map((envelope) => `${JSON.stringify(envelope)}\n`),
        {minLength: 200, maxLength: 200},
      ),
      1,
    )
    const [first, second] = [await topic(), await topic()]

    const produced = await run(`produce ${first} --format records`, {input: lines!.join('')})
    const original = await run(`consume ${first} --json`)
    await run(`produce ${second} --format records`, {input: original.stdout})
    const copy = await run(`consume ${second} --json`)

    expect(lastLine(produced.stderr)).toBe('200 read = 200 acked + 0 rejected + 0 unknown + 0 unsent')
    expect(copy.stdout.replaceAll(second, first)).toBe(original.stdout)
    expect(
      original.stdout
        .trim()
        .split('\n')
        .map((line) => Date.parse(JSON.parse(line).timestamp)),
    ).toEqual(lines!.map((line) => JSON.parse(line).timestamp))
  })
})

describe('produce', () => {
  it('stops at a line that is no envelope, with its place; what stands before it is written', async () => {
    const name = await topic()

    const {code, stderr} = await run(`produce ${name} --format records`, {input: '{"value":"a"}\n{"valu":"b"}\n{"value":"c"}\n'})

    expect(code).toBe(9)
    expect(stderr).toContain('2 read = 1 acked + 1 rejected + 0 unknown + 0 unsent')
    expect(stderr).toContain('error: line 2 of "standard input", byte 14: ')
    expect((await run(`consume ${name}`)).stdout).toBe('a\n')
  })

  it('takes a line without separator only when it is told to', async () => {
    const name = await topic()

    expect(await run(`produce ${name} --key-separator :`, {input: 'novalue\n'})).toMatchObject({code: 9})
    expect(await run(`produce ${name} --key-separator : --missing-key null`, {input: 'novalue\n'})).toMatchObject({code: 0})
  })

  it('under --json prints the counts as an object, also when it fails', async () => {
    const name = await topic()

    const fine = await run(`produce ${name} --json`, {input: 'a\nb\n'})
    const bad = await run(`produce ${name} --json --key-separator :`, {input: 'a:1\nb\n'})

    expect(JSON.parse(fine.stdout)).toMatchObject({
      topic: name,
      read: 2,
      acked: 2,
      rejected: 0,
      unknown: 0,
      unsent: 0,
      idempotent: true,
    })
    expect(JSON.parse(bad.stdout)).toMatchObject({read: 2, acked: 1, rejected: 1, unsent: 0})
    expect(JSON.parse(lastLine(bad.stderr))).toMatchObject({error: {code: 'BAD_LINE', exitCode: 9}})
  })

  it('is exit 9 at a record that is too large, with its place; what stands before it is written', async () => {
    const name = await topic({config: {'max.message.bytes': '1000'}})

    const {code, stderr} = await run(`produce ${name}`, {input: `a\n${'x'.repeat(2_000)}\nb\n`})

    expect(code).toBe(9)
    expect(stderr).toMatch(/error: line 2 of "standard input", byte 2: it takes \d+ bytes, and the topic allows 1000\n/)
    expect(stderr).toContain('`--on-error skip --rejects FILE`')
    expect(stderr).toContain('2 read = 1 acked + 1 rejected + 0 unknown + 0 unsent')
    expect((await run(`consume ${name}`)).stdout).toBe('a\n')
  })

  it('is exit 7 with --on-error skip when a record was too large; its line is named', async () => {
    const name = await topic({config: {'max.message.bytes': '1000'}})

    const {code, stderr} = await run(`produce ${name} --on-error skip`, {input: `a\n${'x'.repeat(2_000)}\nb\n`})

    expect(code).toBe(7)
    expect(stderr).toContain('warning: rejected line 2 of "standard input": it takes')
    expect(stderr).toContain('3 read = 2 acked + 1 rejected + 0 unknown + 0 unsent')
  })

  it('to a partition that does not exist is exit 3, whatever the lines are', async () => {
    const name = await topic({partitions: 3})

    const {code, stderr} = await run(`produce ${name} --partition 7 --on-error skip`, {input: 'a\n'})

    expect([code, stderr]).toEqual([3, expect.stringContaining(`error: topic "${name}" has no partition 7; it has 3`)])
  })

  it('tells a bad line on a dry run without a word of what is written', async () => {
    const name = await topic()

    const {code, stderr} = await run(`produce ${name} --dry-run --key-separator :`, {input: 'a:1\nb\n'})

    expect(code).toBe(9)
    expect(stderr).toContain('hint:  Nothing was sent; add `--on-error skip --rejects FILE`')
    expect(stderr).not.toContain('written')
  })

  it('to a topic that does not exist is exit 3', async () => {
    expect(await run('produce nowhere', {input: 'a\n'})).toMatchObject({code: 3})
  })

  it('of a file that does not exist is exit 9, and names it', async () => {
    const name = await topic()

    expect(await run(`produce ${name} --file missing.txt`)).toMatchObject({
      code: 9,
      stderr: expect.stringContaining('error: cannot read "missing.txt": no such file'),
    })
  })

  it('of nothing is exit 0', async () => {
    const name = await topic()

    expect(await run(`produce ${name}`)).toMatchObject({code: 0, stderr: expect.stringContaining('0 read = 0 acked')})
  })

  it('without a topic is exit 2, and leaves standard input alone', async () => {
    const {code, stderr} = await run('produce', {input: 'not-a-topic\n'})

    expect(stderr).toContain('error: missing TOPIC')
    expect(code).toBe(2)
  })

  it('on SIGINT drains, closes with a line that adds up, and is exit 130', async () => {
    const name = await topic()
    const {child, ended, says} = startSkk(['produce', name], {home, input: {silent: true}})
    child.stdin!.write(numbers(1_000))
    await says(/acting on/)
    await expect.poll(async () => (await run(`consume ${name}`)).stdout, {timeout: 60_000}).toBe(numbers(1_000))
    child.kill('SIGINT')

    const {code, stderr} = await ended

    expect(code).toBe(130)
    expect(stderr).toContain('1000 read = 1000 acked + 0 rejected + 0 unknown + 0 unsent')
    expect((await run(`consume ${name}`)).stdout).toBe(numbers(1_000))
  })

  it('on a terminal says how to end it', async () => {
    const name = await topic()
    const {child, ended, says} = startSkkOnTerminal(['produce', name], {home})
    await says(/reading from terminal, Ctrl-D to end/)
    child.stdin!.write('typed\r\x04')

    expect((await ended).code).toBe(0)
    expect((await run(`consume ${name}`)).stdout).toBe('typed\n')
  })

  it('on a terminal tells that a file is missing before it asks for the topic', async () => {
    const {code, stdout} = await startSkkOnTerminal(['produce', '--file', 'missing.jsonl'], {home}).ended

    expect(code).toBe(9)
    expect(stdout).toContain('error: cannot read "missing.jsonl": no such file')
    expect(stdout).not.toContain('Which topic?')
  })

  it('sends nothing on a dry run', async () => {
    const name = await topic()

    const {stdout} = await run(`produce ${name} --dry-run`, {input: 'a\nb\n'})

    expect(stdout).toMatch(/^PARTITION +RECORDS +BYTES\n0 +2 +77\n$/)
    expect((await run(`consume ${name}`)).stdout).toBe('')
  })
})

describe('consume', () => {
  it('joins no group and leaves none behind, unless it is told to', async () => {
    const name = await topic()
    await run(`produce ${name}`, {input: numbers(10)})

    const first = await run(`consume ${name} --group app --limit 4`)
    const second = await run(`consume ${name} --group app`)
    const third = await run(`consume ${name} --group app`)
    const without = await run(`consume ${name}`)

    expect(first.stdout).toBe('0\n1\n2\n3\n')
    expect(second.stdout).toBe('4\n5\n6\n7\n8\n9\n')
    expect(third.stdout).toBe('')
    expect(without.stdout).toBe(numbers(10))
  })

  it('shares the partitions with another member of its group', async () => {
    const name = await topic({partitions: 4})
    const members = [1, 2].map(() => startSkk(['consume', name, '--group', 'pair', '--follow', '--from', 'beginning'], {home}))
    await new Promise((resolve) => setTimeout(resolve, 4_000))
    await run(`produce ${name} --key-separator :`, {input: Array.from({length: 400}, (_, i) => `key-${i}:${i}\n`).join('')})
    await new Promise((resolve) => setTimeout(resolve, 3_000))
    for (const {child} of members) child.kill('SIGTERM')

    const outputs = (await Promise.all(members.map(({ended}) => ended))).map(({stdout}) =>
      stdout.trim().split('\n').filter(Boolean),
    )

    expect(
      outputs
        .flat()
        .map(Number)
        .sort((a, b) => a - b),
    ).toEqual(Array.from({length: 400}, (_, i) => i))
    for (const output of outputs) expect(output.length).toBeGreaterThan(0)
  })

  it('stops when its reader has enough', async () => {
    const name = await topic()
    await run(`produce ${name}`, {input: numbers(200_000)})
    const {child, ended} = startSkk(['consume', name, '--follow', '--from', 'beginning'], {home})
    child.stdout!.once('data', () => child.stdout!.destroy())

    const {code, stderr} = await ended

    expect({code, stderr}).toEqual({code: 0, stderr: ''})
  })

  it('is exit 9 when the disk is full', async () => {
    const name = await topic()
    await run(`produce ${name}`, {input: numbers(10)})

    expect(await run(`consume ${name} --output-file /dev/full`)).toMatchObject({
      code: 9,
      stderr: expect.stringContaining('error: cannot write "/dev/full": no space left on device'),
    })
  })

  it('shows foreign bytes on a terminal as text only', async () => {
    const name = await topic()
    await run(`produce ${name}`, {input: 'a\x1b]0;owned\x07\x1b[31mb\u202ec\n'})

    const {stdout} = await startSkkOnTerminal(['consume', name], {home}).ended

    expect(stdout).toContain('a\\x1b]0;owned\\x07\\x1b[31mb\\u202ec')
    expect(stdout).not.toContain('\x1b]')
  })

  it('is exit 130 on SIGINT, and says how many it wrote', async () => {
    const name = await topic()
    await run(`produce ${name}`, {input: numbers(5)})
    const {child, ended, says} = startSkk(['consume', name, '--follow', '--from', 'beginning'], {home})
    await says(/4\n/)
    child.kill('SIGINT')

    expect(await ended).toMatchObject({code: 130, stdout: numbers(5), stderr: expect.stringContaining('5 records')})
  })

  it('applies --query to each record', async () => {
    const name = await topic()
    await run(`produce ${name} --key k`, {input: 'a\nb\n'})

    const {stdout} = await skk(['consume', name, '--query', '[key, value]'], {home})

    expect(stdout).toBe('["k","a"]\n["k","b"]\n')
  })

  it('writes through templates, columns, envelopes and tables', async () => {
    const name = await topic()
    await run(`produce ${name} --key-separator : --header a=1`, {input: 'k:{"n": 1}\n:=2\n'})
    const consume = (...flags: string[]) => skk(['consume', name, ...flags], {home})

    expect((await consume('--template', '%t[%p]@%o %k=%s %h\\n')).stdout).toBe(
      `${name}[0]@0 k={"n": 1} a=1\n${name}[0]@1 ==2 a=1\n`,
    )
    expect((await consume('--show', 'offset,key')).stdout).toBe('0\tk\t{"n": 1}\n1\t\t=2\n')
    expect((await consume('--delimiter', '\\0')).stdout).toBe('{"n": 1}\0=2\0')
    expect((await consume('--value', 'hex', '--limit', '1')).stdout).toBe('7b226e223a20317d\n')
    expect((await consume('--value', 'json', '--query', 'value.n', '--limit', '1')).stdout).toBe('1\n')
    expect((await consume('--csv')).stdout).toMatch(
      /^partition,offset,timestamp,key,value,headers\r\n0,0,[^,]+,k,"{""n"": 1}","\[.*\]"\r\n0,1,[^,]+,"",'=2,.*\r\n$/,
    )
    expect(await consume('--csv', '--json')).toMatchObject({code: 2})
    expect(await consume('--template', '%z')).toMatchObject({code: 2})
  })

  it('filters by patterns and expressions, counts both, and --limit counts what is written', async () => {
    const name = await topic({partitions: 2})
    await run(`produce ${name}`, {input: Array.from({length: 100}, (_, i) => `{"n":${i},"even":${i % 2 === 0}}\n`).join('')})
    const consume = (...flags: string[]) => skk(['consume', name, ...flags], {home})

    const even = await consume('--where', '{"value":{"even":[true],"n":[{"numeric":["<",10]}]}}')
    const grepped = await consume('--grep', '"n":[0-9]*7,')
    const limited = await consume('--where', '{"value":{"even":[true]}}', '--limit', '3')

    expect(
      even.stdout
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line).n)
        .sort(),
    ).toEqual([0, 2, 4, 6, 8])
    expect(lastLine(even.stderr)).toBe('100 scanned, 5 matched')
    expect(lastLine(grepped.stderr)).toBe('100 scanned, 10 matched')
    expect(limited.stdout.trim().split('\n')).toHaveLength(3)
    expect(await consume('--where', '{"topic":["x"]}')).toMatchObject({code: 2})
  })

  it('shows the last of each partition with --tail', async () => {
    const name = await topic()
    await run(`produce ${name}`, {input: numbers(10)})

    expect((await run(`consume ${name} --tail 2`)).stdout).toBe('8\n9\n')
    expect((await run(`consume ${name} --from +3 --to +2`)).stdout).toBe('3\n4\n')
    expect(await run(`consume ${name} --tail 2 --from 3`)).toMatchObject({code: 2})
  })

  it('follows until a time to come, and then ends', async () => {
    const name = await topic({partitions: 3})
    await run(`produce ${name}`, {input: 'early\n'})
    const time = Date.now() + 6_000

    const {code, stdout} = await run(`consume ${name} --follow --from beginning --to ${new Date(time).toISOString()}`)

    expect([code, stdout]).toEqual([0, 'early\n'])
    expect(Date.now()).toBeGreaterThanOrEqual(time)
  })

  it.each([[''], [' --group until']])('follows until a record is as late as --to%s', async (flags) => {
    const name = await topic()
    await run(`produce ${name}`, {input: 'early\n'})
    const time = new Date(Date.now() + 20 * 60_000).toISOString()
    const reading = startSkk(`consume ${name} --follow --from beginning --to ${time}${flags}`.split(' '), {home})
    await reading.says(/early/)

    await run(`produce ${name}`, {input: 'in time\n'})
    await reading.says(/in time/)
    await run(`produce ${name} --timestamp ${time}`, {input: 'late\n'})

    expect(await reading.ended).toMatchObject({code: 0, stdout: 'early\nin time\n'})
  })

  it('says that it reads to the end where nothing is as late as --to', async () => {
    const name = await topic()
    await run(`produce ${name}`, {input: 'early\n'})

    const {code, stdout, stderr} = await run(`consume ${name} --to 2099-01-01`)

    expect([code, stdout]).toEqual([0, 'early\n'])
    expect(stderr).toBe('no record is as late as 2099-01-01T00:00:00.000Z; reading to the end as it is now\n1 record\n')
  })

  it('says that nothing is as late as a time beyond the end, and ends', async () => {
    const name = await topic()
    await run(`produce ${name}`, {input: 'a\n'})

    const {code, stderr} = await run(`consume ${name} --from 2099-01-01`)

    expect({code, stderr}).toEqual({code: 0, stderr: 'no record is as late as 2099-01-01T00:00:00.000Z\n'})
  })

  it('teaches its ranges', async () => {
    const {stdout} = await run('consume --help')

    for (const place of ['beginning', '-100', '2026-11-20T10:00Z', '-15m']) expect(stdout).toContain(place)
  })

  it('of a place that is none is exit 2', async () => {
    expect(await run('consume orders --from yesterday')).toMatchObject({code: 2})
  })
})

import {describe, expect, it} from 'vitest'

import {type FormatChoice, formatOf} from '../../../../src/lib/consume-output.js'
import type {SkkError} from '../../../../src/lib/errors.js'
import {unescaped} from '../../../../src/lib/kafka/consume/template.js'
import {encodeBatch, openBatch, type RecordInput} from '../../../../src/lib/records/batch.js'
import {ByteWriter} from '../../../../src/lib/records/byte-writer.js'
import {forEachRecord} from '../../../../src/lib/records/record.js'

const TIME = Date.UTC(2026, 10, 20, 10, 0, 0, 123)

type Given = {key?: string | null; value?: string | Buffer | null; headers?: [string, string | null][]; timestamp?: number}

const bytesOf = (text: string | Buffer | null): Buffer | null => (text === null ? null : Buffer.from(text as string))

async function written(choice: Partial<FormatChoice>, ...records: Given[]): Promise<Buffer> {
  const inputs = records.map(
    ({key = null, value = 'v', headers = [], timestamp = TIME}): RecordInput => ({
      key: bytesOf(key),
      value: bytesOf(value),
      headers: headers.map(([name, text]) => ({key: Buffer.from(name), value: bytesOf(text)})),
      timestamp,
    }),
  )
  const format = formatOf('orders', {value: 'string', csv: false, json: false, query: null, terminal: false, ...choice})
  const {header, section} = await openBatch(await encodeBatch(inputs))
  const out = new ByteWriter()
  forEachRecord(section, header, (bounds) => format.write(out, section, bounds, 3))
  return out.written()
}

const text = async (choice: Partial<FormatChoice>, ...records: Given[]): Promise<string> =>
  (await written(choice, ...records)).toString()

describe('values', () => {
  it('are followed by the delimiter', async () => {
    expect(await text({}, {value: 'a'}, {value: null}, {value: ''})).toBe('a\n\n\n')
    expect(await text({delimiter: '\\0'}, {value: 'a'}, {value: 'b'})).toBe('a\0b\0')
    expect(await text({delimiter: ''}, {value: 'a'}, {value: 'b'})).toBe('ab')
    expect(await text({delimiter: '--a long one--'}, {value: 'a'})).toBe('a--a long one--')
  })

  it('keep their bytes', async () => {
    const value = Buffer.from('00ff0d0a80', 'hex')

    expect(await written({}, {value})).toEqual(Buffer.concat([value, Buffer.from('\n')]))
    expect(await text({value: 'hex'}, {value})).toBe('00ff0d0a80\n')
    expect(await text({value: 'base64'}, {value})).toBe('AP8NCoA=\n')
  })

  it('are JSON on one line where they are JSON, with their digits and in their order', async () => {
    const value = '{\n  "b": 12345678901234567890.10,\t"a": "x \\n\\" y",\r\n "a": [ ]\n}'

    expect(await text({value: 'json'}, {value}, {value: 'no { json'})).toBe(
      '{"b":12345678901234567890.10,"a":"x \\n\\" y","a":[]}\nno { json\n',
    )
  })

  it('are harmless on a terminal', async () => {
    expect(await text({terminal: true}, {value: 'a\x1b[31mb\u202ec'})).toBe('a\\x1b[31mb\\u202ec\n')
    expect(await text({terminal: true, template: '%k=%s\\n'}, {key: '\x1b]0;x\x07', value: 'v'})).toBe('\\x1b]0;x\\x07=v\n')
    expect(await text({terminal: true, json: true}, {value: 'a\u202eb'})).toContain('"a\\u202eb"')
  })
})

describe('envelopes', () => {
  it('hold values as they are asked for', async () => {
    const value = '{ "a": 1 }'
    const shown = async (kind: FormatChoice['value'], given: Given) => {
      const line = await text({json: true, value: kind}, given)
      expect(line.endsWith('}\n')).toBe(true)
      return JSON.parse(line).value
    }

    expect(await shown('string', {value})).toBe(value)
    expect(await shown('json', {value})).toEqual({a: 1})
    expect(await shown('json', {value: 'text'})).toBe('text')
    expect(await shown('json', {value: null})).toBeNull()
    expect(await shown('hex', {value: 'az'})).toBe('617a')
    expect(await shown('base64', {value: 'az'})).toEqual({base64: 'YXo='})
  })

  it('are what --query is applied to, one by one', async () => {
    const query = (envelope: unknown) => (envelope as {offset: number; value: {id: number}}).value.id

    expect(await text({query, value: 'json'}, {value: '{"id":1}'}, {value: '{"id":2}'})).toBe('1\n2\n')
    expect(await text({query: () => undefined}, {value: 'a'})).toBe('null\n')
  })
})

describe('--show', () => {
  it('writes its parts before the value', async () => {
    const record = {key: 'k', value: 'v', headers: [['a', '1'] as [string, string]]}

    expect(await text({show: 'partition,offset,timestamp,key,headers'}, record)).toBe(
      '3\t0\t2026-11-20T10:00:00.123Z\tk\ta=1\tv\n',
    )
    expect(await text({show: 'key', delimiter: '%\\n'}, record)).toBe('k\tv%\n')
  })

  it('refuses other names', () => {
    const failure = expect.objectContaining({code: 'USAGE', exitCode: 2, message: '--show has no "size"'})

    expect(() =>
      formatOf('t', {show: 'key,size', value: 'string', csv: false, json: false, query: null, terminal: false}),
    ).toThrow(failure as SkkError)
  })
})

describe('a template', () => {
  // What kcat 1.7.1 -f writes for these records, but %D.
  it('has the letters of kcat, and %D', async () => {
    const records: Given[] = [
      {
        key: 'k1',
        value: 'v1',
        headers: [
          ['a', '1'],
          ['b', ''],
          ['a', '2'],
        ],
      },
      {key: '', value: 'emptykey'},
      {
        key: null,
        value: null,
        headers: [
          ['n', null],
          ['e', ''],
        ],
      },
    ]

    expect(await text({template: '[%t|%p|%o|%k|%s|%h|%T|%S|%K|%%|\\t\\x41\\q\\\\|%D]\\n'}, ...records)).toBe(
      [
        `[orders|3|0|k1|v1|a=1,b=,a=2|${TIME}|2|2|%|\tAq\\|2026-11-20T10:00:00.123Z]\n`,
        `[orders|3|1||emptykey||${TIME}|8|0|%|\tAq\\|2026-11-20T10:00:00.123Z]\n`,
        `[orders|3|2|||n=NULL,e=|${TIME}|-1|-1|%|\tAq\\|2026-11-20T10:00:00.123Z]\n`,
      ].join(''),
    )
    expect((await written({template: '%R%s'}, {value: 'abc'}, {value: null})).toString('hex')).toBe('00000003616263ffffffff')
  })

  it('is the number where a time is out of range of dates', async () => {
    expect(await text({template: '%D'}, {timestamp: 9_000_000_000_000_000})).toBe('9000000000000000')
  })

  it('refuses other letters', () => {
    const parse = (given: string) => () =>
      formatOf('t', {template: given, value: 'string', csv: false, json: false, query: null, terminal: false})

    expect(parse('%y')).toThrow(expect.objectContaining({exitCode: 2, message: 'the template has "%y"'}) as SkkError)
    expect(parse('a%')).toThrow(expect.objectContaining({exitCode: 2, message: 'the template ends with "%"'}) as SkkError)
    expect(parse('%constructor')).toThrow('the template has "%c"')
  })

  it.each([
    ['a\\tb', 'a\tb'],
    ['\\n\\r\\0', '\n\r\0'],
    ['\\x0a\\xA', '\n\n'],
    ['\\\\n', '\\n'],
    ['é\\é', 'éé'],
    ['\\', '\\'],
    ['', ''],
  ])('takes %j for %j', (given, bytes) => {
    expect(unescaped(given).toString()).toBe(bytes)
  })
})

describe('csv', () => {
  const line = async (given: Given) => (await text({csv: true}, given)).replace('3,0,2026-11-20T10:00:00.123Z,', '')

  it.each([
    ['plain', 'plain'],
    ['a,b', '"a,b"'],
    ['say "x"', '"say ""x"""'],
    ['two\nlines', '"two\nlines"'],
    ['', '""'],
    [null, ''],
    ['=1+1', "'=1+1"],
    ['+cmd', "'+cmd"],
    ['-cmd', "'-cmd"],
    ['@SUM(A1)', "'@SUM(A1)"],
    ['\tx', "'\tx"],
    ['\rx', '"\'\rx"'],
    ['＝1', "'＝1"],
    ['-1', '-1'],
    ['+1.5e3', '+1.5e3'],
    ['-1+1', "'-1+1"],
    [Buffer.from([0xff]), 'base64:/w=='],
  ])('writes %j as %j', async (value, cell) => {
    expect(await line({value})).toBe(`,${cell},\r\n`)
  })

  it('has key, headers and the place beside it', async () => {
    expect(
      await text(
        {csv: true},
        {
          key: '=k',
          value: 'v',
          headers: [
            ['a', '1'],
            ['b', null],
          ],
        },
      ),
    ).toBe('3,0,2026-11-20T10:00:00.123Z,\'=k,v,"[[""a"",""1""],[""b"",null]]"\r\n')
  })
})

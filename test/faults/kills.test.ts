import {readFile, stat} from 'node:fs/promises'
import {join} from 'node:path'

import {afterAll, afterEach, beforeAll, expect, it} from 'vitest'

import {type CommandLine, commandLine, countsOf, numbered} from './command-line.js'
import {randomOf} from './random.js'

const FULL = Boolean(process.env['SKK_FULL'])
const [PRODUCE_KILLS, CONSUME_KILLS] = FULL ? [200, 100] : [20, 10]
const SEED = Number(process.env['SKK_SEED'] ?? Math.floor(Math.random() * 1_000_000))
const RECORDS = 20_000

let cli: CommandLine
beforeAll(async () => {
  process.stderr.write(`kills by seed ${SEED}; SKK_SEED=${SEED} repeats them\n`)
  cli = await commandLine()
})
afterEach(() => cli.stack.heal())
afterAll(() => cli?.stop())

/** Waits for `condition` by looking again and again, until it holds or the process is gone. */
async function until(condition: () => boolean | Promise<boolean>, ended: Promise<unknown>): Promise<void> {
  let over = false
  void ended.then(() => {
    over = true
  })
  while (!over && !(await condition())) await new Promise((resolve) => setImmediate(resolve))
}

it(`kill -9 of produce at ${PRODUCE_KILLS} random points, each resumed: every record once, in order`, {
  timeout: PRODUCE_KILLS * 60_000,
}, async () => {
  const random = randomOf(SEED)
  let killed = 0
  for (let kill = 0; kill < PRODUCE_KILLS; kill++) {
    const keyed = random.chance(0.5)
    const topic = await cli.topic(
      `--partitions ${random.integer(1, 4)} --config max.message.bytes=${random.integer(2_000, 8_000)}`,
    )
    const file = await cli.file(keyed ? keyedLines() : numbered(0, RECORDS))
    const line = `produce ${topic} --file ${file}${keyed ? ' --key-separator :' : ''}`
    // What is under way when it dies has arrived, or has not, or arrives later.
    const ways = ['before', 'after'] as const
    const sent = cli.stack.fault({api: 'Produce', action: 'delay', when: random.pick(ways), ms: random.integer(1, 40)})
    const hits = () => cli.stack.local.faults.list().find(({id}) => id === sent.id)!.hits
    const running = cli.start(line)
    const point = random.integer(0, 60)
    await until(() => hits() >= point, running.ended)
    running.child.kill('SIGKILL')
    const {signal} = await running.ended
    if (signal === 'SIGKILL') killed += 1

    const resumed = await cli.run(`${line} --resume`)

    const where = `seed ${SEED}, kill ${kill}, after ${point} requests: ${line}\n${resumed.stderr}`
    expect(resumed.code, where).toBe(0)
    expect(await cli.verdict(topic, RECORDS, {resumed: true}), where).toEqual({
      stored: RECORDS,
      lost: 0,
      duplicated: 0,
      reordered: 0,
    })
    await cli.stack.heal()
  }
  expect(killed).toBeGreaterThan(PRODUCE_KILLS / 2)
})

const keyedLines = (): string => Array.from({length: RECORDS}, (_, i) => `k${i % 97}:${i}\n`).join('')

it(`kill -9 of consume --checkpoint at ${CONSUME_KILLS} random points, each gone on with: every record once`, {
  timeout: CONSUME_KILLS * 60_000,
}, async () => {
  const random = randomOf(SEED)
  const topic = await cli.topic('--partitions 3')
  const produced = await cli.run(`produce ${topic} --file ${await cli.numbers(5 * RECORDS)}`)
  expect(countsOf(produced).acked).toBe(5 * RECORDS)
  const bytes = numbered(0, 5 * RECORDS).length
  let killed = 0
  for (let kill = 0; kill < CONSUME_KILLS; kill++) {
    const output = join(cli.home.directory, 'work', `read-${kill}`)
    const line = `consume ${topic} --output-file ${output} --checkpoint ${output}.checkpoint`
    cli.stack.fault({api: 'Fetch', action: 'delay', when: 'after', ms: random.integer(1, 60)})
    const running = cli.start(line)
    const point = random.integer(0, bytes - 1)
    const size = () =>
      stat(output).then(
        (found) => found.size,
        () => -1,
      )
    await until(async () => (await size()) >= point, running.ended)
    running.child.kill('SIGKILL')
    if ((await running.ended).signal === 'SIGKILL') killed += 1

    const again = await cli.run(line)

    const where = `seed ${SEED}, kill ${kill}, after ${point} of ${bytes} bytes\n${again.stderr}`
    expect(again.code, where).toBe(0)
    const values = (await readFile(output, 'utf8')).split('\n')
    expect(values.pop(), where).toBe('')
    expect(
      values.map(Number).sort((a, b) => a - b),
      where,
    ).toEqual(Array.from({length: 5 * RECORDS}, (_, i) => i))
    await cli.stack.heal()
  }
  expect(killed).toBeGreaterThan(CONSUME_KILLS / 3)
})

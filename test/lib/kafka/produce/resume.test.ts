import {mkdtemp, readdir, readFile, rm, utimes, writeFile} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {dirname, join} from 'node:path'

import {describe, expect, it, onTestFinished} from 'vitest'

import {leaderOf} from '../../../../src/lib/kafka/cluster.js'
import {sources} from '../../../../src/lib/kafka/produce/input.js'
import type {SentBatch} from '../../../../src/lib/kafka/produce/journal.js'
import {linesOf} from '../../../../src/lib/kafka/produce/lines.js'
import {emptyRecord} from '../../../../src/lib/kafka/produce/placed-record.js'
import {lineParser} from '../../../../src/lib/kafka/produce/records.js'
import type {ProduceEvents, ProduceOptions, ProduceReport} from '../../../../src/lib/kafka/produce/run.js'
import {produce} from '../../../../src/lib/kafka/requests/produce.js'
import {createTopics} from '../../../../src/lib/kafka/topics.js'
import type {LocalOptions} from '../../../../src/lib/local/index.js'
import {PartitionLog} from '../../../../src/lib/local/kafka/log.js'
import {BatchWriter} from '../../../../src/lib/records/batch-writer.js'
import {append} from '../../../support/log.js'
import {stack, temporaryDataDir} from '../../../support/stack.js'
import {kafkaOf} from '../../../support/topic.js'
import {type Chaos, chaos, plaintext, work} from '../cluster-fixture.js'
import {numbers, plainLines, produceText, TOPIC, valuesOf} from '../records-fixture.js'

type Prepared = {
  local: Awaited<ReturnType<typeof stack>>
  way: Chaos
  journal: string
  /** Produces the file over the way that may be faulty, or directly. */
  run(over: 'way' | 'direct', options?: Partial<ProduceOptions>, events?: Partial<ProduceEvents>): Promise<ProduceReport>
  values(): Promise<string[]>
  /** Records with these keys come later, and compaction takes what they replace. */
  compact(...later: string[]): Promise<void>
}

const COUNT = 5_000

async function prepared(configs: Record<string, string> = {}, options: Partial<LocalOptions> = {}): Promise<Prepared> {
  const dataDir = await temporaryDataDir()
  const local = await stack({...options, dataDir})
  let target = plaintext(local)
  await work(target, (cluster) =>
    createTopics(cluster, [{name: TOPIC, partitions: 1, replicationFactor: 3, configs}], {dryRun: false, timeoutMs: 5_000}),
  )
  const way = await chaos()
  const directory = await mkdtemp(join(tmpdir(), 'skk-resume-'))
  onTestFinished(() => rm(directory, {recursive: true, force: true}))
  const file = join(directory, 'input')
  await writeFile(file, numbers(COUNT))
  const inputs = await sources([file])
  let mode: 'new' | 'resume' = 'new'
  return {
    local,
    way,
    journal: `${file}.skk-resume.journal`,
    run: (over, options, events) => {
      const token = {path: `${file}.skk-resume`, mode, settings: {}}
      mode = 'resume'
      return work(
        target,
        (cluster) => produceText(cluster, '', {inputs, token, deliveryTimeoutMs: 1_000, ...options}, events),
        over === 'way' ? way.connect : undefined,
      )
    },
    values: () => work(target, valuesOf),
    async compact(...later) {
      await local.stop()
      const files = await readdir(dataDir, {recursive: true})
      const log = await PartitionLog.open(join(dataDir, dirname(files.find((name) => /topics\/.*\/\d+\.log$/.test(name))!)), {
        segmentBytes: 1,
      })
      // What is appended to stays as it is: so two segments, the last of which is not looked at.
      for (const key of [...later, 'last']) await append(log, [{key, value: key}])
      await log.compact()
      await log.close()
      target = plaintext(await stack({...options, dataDir}))
    },
  }
}

/** The first run sends everything, and never learns what became of it. */
async function unknown({way, run}: Prepared, fault: 'lose-answer' | 'lose-request', options: Partial<ProduceOptions> = {}) {
  way.faults.push(fault)
  way.onFault = () => way.bringDown()
  const report = await run('way', options)
  expect(report).toMatchObject({acked: 0, unknown: COUNT, resumable: true})
}

const all = numbers(COUNT).trim().split('\n')

/** As if the run had ended so long ago. */
const age = (path: string, ms: number): Promise<void> => utimes(path, new Date(), new Date(Date.now() - ms))

describe('resuming', () => {
  it.each(['lose-answer', 'lose-request'] as const)(
    'after the network did %s and went away writes every record once',
    async (fault) => {
      const run = await prepared()
      await unknown(run, fault)

      const report = await run.run('direct')

      const stored = fault === 'lose-answer'
      expect(report).toMatchObject({read: COUNT, acked: COUNT, resumed: stored ? COUNT : 0, unknown: 0, failure: null})
      expect(await run.values()).toEqual(all)
    },
  )

  it.each(['lose-answer', 'lose-request'] as const)(
    'does so without idempotence, by checksum and time, after the last request can have arrived (%s)',
    async (fault) => {
      const run = await prepared()
      await unknown(run, fault, {acks: '1'})
      await age(run.journal, 29_000)
      const waits: number[] = []

      const report = await run.run('direct', {acks: '1'}, {onWaiting: (ms) => waits.push(ms)})

      expect(report).toMatchObject({read: COUNT, acked: COUNT, unknown: 0, failure: null})
      expect(await run.values()).toEqual(all)
      expect(waits).toHaveLength(1)
      expect(waits[0]).toBeLessThanOrEqual(1_000)
    },
  )

  it('repeats what was lost under its old sequence: the request of the dead process may still arrive', async () => {
    const run = await prepared()
    await unknown(run, 'lose-request')
    const [line] = (await readFile(run.journal, 'utf8')).split('\n')
    const sent: SentBatch = JSON.parse(line!)

    await run.run('direct')
    const late = await work(plaintext(run.local), async (cluster) => {
      await cluster.addTargetTopic(TOPIC)
      const leader = await leaderOf(cluster, TOPIC, 0)
      const {writer, size} = batchOf(all, sent)
      const options = {topic: TOPIC, partition: 0, acks: 'all' as const, timeoutMs: 5_000}
      return produce(leader, options, {bytes: writer.bytes, start: writer.headroom, size}).sending
    })

    expect(late).toMatchObject({errorCode: 0, baseOffset: 0})
    expect(await run.values()).toEqual(all)
  })

  it('is exit 10 when the topic stamps records itself and nothing else can tell', async () => {
    const run = await prepared({'message.timestamp.type': 'LogAppendTime'})
    await unknown(run, 'lose-answer', {acks: '1'})
    await age(run.journal, 60_000)

    await expect(run.run('direct', {acks: '1'})).rejects.toMatchObject({code: 'OUTCOME_UNKNOWN', exitCode: 10})
  })

  it('is exit 10 when retention has taken what would tell', async () => {
    // Only this profile has DeleteRecords, which is retention without a wait.
    const run = await prepared({}, {apiProfile: 'wide'})
    await unknown(run, 'lose-answer')
    const {admin, producer} = await kafkaOf(run.local)
    await producer.send({topic: TOPIC, messages: [{value: 'later'}]})
    // kafkajs deletes only what it has looked at.
    await admin.fetchTopicOffsets(TOPIC)
    await admin.deleteTopicRecords({topic: TOPIC, partitions: [{partition: 0, offset: String(COUNT)}]})

    await expect(run.run('direct')).rejects.toMatchObject({
      code: 'OUTCOME_UNKNOWN',
      exitCode: 10,
      message: expect.stringContaining('retention or compaction'),
    })
    expect(await run.values()).toEqual(['later'])
  })

  describe('after compaction', () => {
    const parse = lineParser({...plainLines, key: Buffer.from('k')})
    const read = linesOf(parse)
    const COMPACTED = {'cleanup.policy': 'compact'}

    it('knows a batch of which some records are left by its sequence', async () => {
      const run = await prepared(COMPACTED)
      await unknown(run, 'lose-answer', {read})
      await run.compact()

      const report = await run.run('direct', {read})

      expect(report).toMatchObject({acked: COUNT, resumed: COUNT, failure: null})
      expect(await run.values()).toEqual([String(COUNT - 1), 'last'])
    })

    it.each([
      ['all of a batch is gone', {}, ['k']],
      ['some records of a batch are gone, and it has no sequence', {acks: '1'}, []],
    ] as const)('is exit 10 when %s', async (_, acks, later) => {
      const run = await prepared(COMPACTED)
      await unknown(run, 'lose-answer', {read, ...acks})
      await run.compact(...later)
      await age(run.journal, 60_000)
      const before = await run.values()

      await expect(run.run('direct', {read, ...acks})).rejects.toMatchObject({
        code: 'OUTCOME_UNKNOWN',
        exitCode: 10,
        message: expect.stringMatching(/5000 records of the earlier run .* compaction has taken/),
      })
      expect(await run.values()).toEqual(before)
    })
  })

  it('reads a journal whose last line was cut off as if it ended before', async () => {
    const run = await prepared()
    await unknown(run, 'lose-request')
    const text = await readFile(run.journal, 'utf8')
    await writeFile(run.journal, `${text}{"batch":1,"part`)

    const report = await run.run('direct')

    expect(report).toMatchObject({acked: COUNT, failure: null})
    expect(await run.values()).toEqual(all)
  })
})

/** The batch that `sent` describes, as the first run had made it. */
function batchOf(values: readonly string[], sent: SentBatch): {writer: BatchWriter; size: number} {
  const writer = new BatchWriter(Buffer.alloc(1_000_000), 1_000)
  writer.reset(sent.timestamp)
  const record = emptyRecord()
  for (const value of values) {
    record.value = Buffer.from(value)
    record.valueStart = 0
    record.valueEnd = record.value.length
    writer.append(record)
  }
  const {producerId, producerEpoch, sequence} = sent
  const {length} = writer.finish({producerId, producerEpoch, baseSequence: sequence})
  return {writer, size: length}
}

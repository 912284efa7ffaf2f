import {mkdtemp, rm, writeFile} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {setTimeout as delay} from 'node:timers/promises'

import {afterAll, beforeAll, describe, expect, it} from 'vitest'

import {withCluster} from '../../src/lib/kafka/client.js'
import {createTopics} from '../../src/lib/kafka/topics.js'
import {installKcat} from '../engines/install.js'
import {plaintext} from '../lib/kafka/cluster-fixture.js'
import {judge, readWithKcat} from './count.js'
import {type FaultyStack, faultyStack} from './faulty-stack.js'
import {produceFile} from './produce.js'
import {type Random, randomOf} from './random.js'

const SEEDS = Number(process.env['SKK_SEEDS'] ?? (process.env['SKK_FULL'] ? 1_000 : 50))
const FIRST_SEED = Number(process.env['SKK_SEED'] ?? Math.floor(Math.random() * 1_000_000))
/** Those that have failed once. 136384: an answer to the look into the log got lost, and its connection swallowed all that was asked next. */
const KEPT = process.env['SKK_SEED'] === undefined ? [136_384] : []
const RECORDS = 20_000
/** All faults have passed by then, long before the delivery timeout. */
const TROUBLE_MS = 2_000
const DELIVERY_TIMEOUT_MS = 30_000

let stack: FaultyStack
let directory: string
beforeAll(async () => {
  await installKcat()
  stack = await faultyStack()
  directory = await mkdtemp(join(tmpdir(), 'skk-seeds-'))
  process.stderr.write(`seeds ${FIRST_SEED} to ${FIRST_SEED + SEEDS - 1}; SKK_SEED=N SKK_SEEDS=1 repeats one\n`)
})
afterAll(async () => {
  process.stderr.write(`the brokers' faults happened to ${stack?.hits()} requests\n`)
  await stack?.stop()
  await rm(directory, {recursive: true, force: true})
})

/** Values are 0, 1, 2…; with keys, each value belongs to one of 97. */
async function inputFile(keyed: boolean): Promise<string> {
  const file = join(directory, keyed ? 'keyed' : 'keyless')
  await writeFile(file, Array.from({length: RECORDS}, (_, i) => (keyed ? `k${i % 97}:${i}\n` : `${i}\n`)).join(''))
  return file
}

/** Faults of the brokers, of the network and of whole nodes, from one to four at once. What was done is told in words. */
function trouble(random: Random, {fault, proxies, local, heal}: FaultyStack, over: AbortSignal): string[] {
  const first = brokerFault(random, 'Produce')
  fault(first)
  const told = [JSON.stringify(first)]
  for (let count = random.integer(0, 3); count > 0; count--) {
    const kind = random.pick(['broker', 'broker', 'network', 'node'] as const)
    const node = random.pick(local.nodeIds)
    if (kind === 'broker') {
      const rule = brokerFault(random, random.pick(['Produce', 'Produce', 'Metadata', 'InitProducerId', 'ListOffsets', 'Fetch']))
      fault(rule)
      told.push(JSON.stringify(rule))
    } else if (kind === 'network') {
      const toxic = networkFault(random)
      const direction = random.pick(['upstream', 'downstream'] as const)
      proxies.get(node)!.add(toxic, direction)
      told.push(`${JSON.stringify(toxic)} ${direction} of ${node}`)
    } else {
      const [from, forMs] = [random.integer(0, 300), random.integer(50, 800)]
      told.push(`node ${node} dead after ${from} ms for ${forMs} ms`)
      void deadFor(node, from, forMs, local, over)
    }
  }
  void delay(TROUBLE_MS, undefined, {signal: over}).then(heal, () => {})
  return told
}

const once = (work: () => void): (() => void) => {
  let done = false
  return () => {
    if (!done) work()
    done = true
  }
}

async function deadFor(node: number, from: number, forMs: number, local: FaultyStack['local'], over: AbortSignal): Promise<void> {
  try {
    await delay(from, undefined, {signal: over})
    await local.killNode(node)
    await delay(forMs, undefined, {signal: over})
    await local.reviveNode(node)
  } catch (error) {
    if (!over.aborted) throw error
  }
}

function brokerFault(random: Random, api: string): Record<string, unknown> {
  const action = random.pick(['drop', 'close', 'close', 'delay', 'error', 'throttle'])
  const errorCode = random.pick(
    api === 'Produce' ? [2, 3, 5, 6, 7, 13, 19, 20, 45, 56] : api === 'InitProducerId' ? [14, 15] : [5, 6],
  )
  return {
    api,
    action,
    when: random.pick(['before', 'after']),
    ...(action === 'error' && {errorCode}),
    ...((action === 'delay' || action === 'throttle') && {ms: random.integer(5, 900)}),
    skip: random.integer(0, 5),
    ...(random.chance(0.5)
      ? {times: random.integer(1, 8)}
      : {probability: random.integer(5, 40) / 100, seed: random.integer(0, 1e9)}),
  }
}

const networkFault = (random: Random) =>
  random.pick([
    {type: 'latency', ms: random.integer(1, 60), jitterMs: random.integer(0, 30)},
    {type: 'down'},
    {type: 'bandwidth', bytesPerSecond: random.integer(50_000, 500_000)},
    {type: 'slow_close', ms: random.integer(10, 500)},
    {type: 'timeout', ms: random.integer(1, 800)},
    {type: 'reset_peer', ms: random.integer(0, 400)},
    {type: 'slicer', bytes: random.integer(40, 400), ms: 1},
    {type: 'limit_data', bytes: random.integer(100, 60_000)},
  ] as const)

describe.each([...new Set([...KEPT, ...Array.from({length: SEEDS}, (_, i) => FIRST_SEED + i)])])('seed %i', (seed) => {
  it(`${RECORDS} records: none lost, none twice, none out of order`, async () => {
    const random = randomOf(seed)
    const kafka = plaintext(stack.local)
    const [topic, keyed, partitions] = [`seed-${seed}`, random.chance(0.7), random.integer(1, 6)]
    const compression = random.pick(['none', 'none', 'gzip', 'lz4'] as const)
    // Small batches, so that there are many to go wrong.
    const configs = {'max.message.bytes': String(random.integer(2_000, 40_000))}
    await withCluster(kafka, (cluster) =>
      createTopics(cluster, [{name: topic, partitions, replicationFactor: 3, configs}], {dryRun: false, timeoutMs: 5_000}),
    )
    const over = new AbortController()
    let told: string[] = []

    const report = await produceFile(kafka, {
      topic,
      file: await inputFile(keyed),
      keyed,
      compression,
      deliveryTimeoutMs: DELIVERY_TIMEOUT_MS,
      onStart: once(() => {
        told = trouble(random, stack, over.signal)
      }),
    }).finally(async () => {
      over.abort()
      await stack.heal()
    })

    const where = `seed ${seed}: ${partitions} partitions, ${compression}, ${JSON.stringify(configs)}, ${told.join('; ')}; told ${JSON.stringify(report)}`
    expect(judge(await readWithKcat(stack.local.plaintextBootstrap!, topic), RECORDS), where).toEqual({
      stored: RECORDS,
      lost: 0,
      duplicated: 0,
      reordered: 0,
    })
    expect(report, where).toMatchObject({read: RECORDS, acked: RECORDS, rejected: 0, unknown: 0, unsent: 0, failure: null})
  })
})

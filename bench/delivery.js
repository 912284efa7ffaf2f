/**
 * How fast `skk local` delivers through one mapping: records of 116 B, batches of 1,000, a handler that does nothing; counted from
 * the first commit of the mapping's group to its last, so that neither start-up nor the first cold start is in it. Latency is from
 * a record's timestamp, set when kafkajs sends it, to the handler, at 2,000 records a second and without a batching window.
 */
import {execFile} from 'node:child_process'
import {mkdirSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'
import {performance} from 'node:perf_hooks'
import {setTimeout as delay} from 'node:timers/promises'
import {promisify} from 'node:util'

import kafkajs from 'kafkajs'

import {withCluster} from '../dist/lib/kafka/client.js'
import {committedOf} from '../dist/lib/kafka/groups/lag.js'

const {Kafka, logLevel} = kafkajs

const RECORDS = 400_000
const BYTES = 116
const GOAL = 20_000
const PARTITIONS = 4

const NOTHING = 'export const handler = async () => {}'
const LATENCY = `export const handler = async ({records}) => {
  const now = Date.now()
  console.log('MS', Object.values(records).flat().map(({timestamp}) => now - timestamp).join())
}`

/** @param {string} directory for a home that is empty */
export async function delivery(directory) {
  const env = {PATH: process.env.PATH, HOME: join(directory, 'home')}
  const skk = (...args) => promisify(execFile)(process.execPath, ['bin/run.js', ...args], {env, maxBuffer: 2 ** 28})
  mkdirSync(env.HOME)
  await skk('local', 'start', '--port', '0', '--plaintext-port', '0', '--http-port', '0')
  try {
    const {plaintextBootstrap} = JSON.parse((await skk('local', 'status', '--json')).stdout)
    for (const [name, source] of Object.entries({nothing: NOTHING, latency: LATENCY})) {
      mkdirSync(join(directory, name))
      writeFileSync(join(directory, name, 'index.mjs'), source)
      await skk('functions', 'deploy', join(directory, name), '--name', name, '--handler', 'index.handler')
      await skk('topics', 'create', name, '--partitions', String(PARTITIONS))
    }
    const file = join(directory, 'records.txt')
    writeFileSync(file, `${'x'.repeat(BYTES)}\n`.repeat(RECORDS))
    await skk('produce', 'nothing', '--file', file)

    await skk('esm', 'attach', '--function', 'nothing', '--topic', 'nothing', '--batch-size', '1000', '--no-wait')
    const rate = await rateOf(plaintextBootstrap, 'nothing.nothing')
    const {p50, p99} = await latency(skk, plaintextBootstrap)
    console.log(
      `delivering ${RECORDS} records of ${BYTES} B, batches of 1,000, ${PARTITIONS} partitions, a handler that does nothing:`,
    )
    console.log(
      `${Math.round(rate)} records/s (goal ${GOAL}); at 2,000 records/s p50 ${p50} ms, p99 ${p99} ms from record to handler`,
    )
  } finally {
    await skk('local', 'stop')
  }
}

/** Records a second between the first commit and the last. */
async function rateOf(bootstrap, group) {
  const target = {
    bootstrap: bootstrap.split(','),
    auth: 'none',
    tls: false,
    credentials: async () => ({}),
    timeoutMs: 10_000,
    describe: '',
  }
  return withCluster(target, async (cluster) => {
    let first
    for (;;) {
      const at = performance.now()
      const done = (await committedOf(cluster, group)).reduce((sum, {offset}) => sum + offset, 0)
      if (done > 0) first ??= {at, done}
      if (done === RECORDS) return ((done - first.done) / (at - first.at)) * 1000
      await delay(10)
    }
  })
}

async function latency(skk, bootstrap) {
  const attach = ['--function', 'latency', '--topic', 'latency', '--batching-window', '0s', '--batch-size', '1000']
  await skk('esm', 'attach', ...attach, '--until', 'healthy')
  const producer = new Kafka({brokers: bootstrap.split(','), logLevel: logLevel.NOTHING}).producer()
  await producer.connect()
  const value = 'x'.repeat(BYTES)
  const sending = []
  for (let i = 0; i < 500; i++) {
    const messages = Array.from({length: 20}, () => ({value, timestamp: String(Date.now())}))
    sending.push(producer.send({topic: 'latency', messages}))
    await delay(10)
  }
  await Promise.all(sending)
  await producer.disconnect()
  for (;;) {
    const {lag} = JSON.parse((await skk('groups', 'describe', 'latency.latency', '--json')).stdout)
    if (lag === 0) break
  }
  const log = (await skk('functions', 'logs', 'latency')).stdout
  // The first batches meet a function that is being started.
  const all = [...log.matchAll(/\tMS (.*)$/gm)].flatMap(([, list]) => list.split(',').map(Number)).slice(1000)
  const sorted = all.sort((a, b) => a - b)
  return {p50: sorted[Math.floor(sorted.length * 0.5)], p99: sorted[Math.floor(sorted.length * 0.99)]}
}

#!/usr/bin/env node
/**
 * Attaching many functions at once to an endpoint that throttles: skk's engine beside what a parallel create does with the SDK's
 * own retry, and without any. The endpoint is simulated (test/support/scripted-lambda.ts): Lambda's limit of creates is not
 * published. `--kills N` ends `skk esm apply` N times at random points and runs it again. `--delivery` measures how fast the stack
 * delivers (bench/delivery.js).
 *
 *   npm run build && node bench/esm.js [--kills 50] [--seed 1] [--delivery]
 */
import {execFileSync, spawn} from 'node:child_process'
import {mkdtempSync, rmSync, symlinkSync, writeFileSync} from 'node:fs'
import {tmpdir} from 'node:os'
import {join, resolve} from 'node:path'
import {performance} from 'node:perf_hooks'
import {setTimeout as delay} from 'node:timers/promises'
import {pathToFileURL} from 'node:url'
import {parseArgs} from 'node:util'

import {CreateEventSourceMappingCommand, LambdaClient} from '@aws-sdk/client-lambda'

import {closeLambda, openLambda} from '../dist/lib/aws/lambda.js'
import {attachAll, readExisting} from '../dist/lib/esm/attach.js'
import {noJournal} from '../dist/lib/esm/journal.js'
import {createPace} from '../dist/lib/esm/pace.js'
import {planMapping} from '../dist/lib/esm/plan.js'
import {delivery} from './delivery.js'

const {values} = parseArgs({
  options: {
    kills: {type: 'string', default: '0'},
    seed: {type: 'string', default: '1'},
    delivery: {type: 'boolean', default: false},
  },
})
const directory = mkdtempSync(join(tmpdir(), 'skk-bench-esm-'))
const {scriptedLambda, CLUSTER, REGION} = await compiled('test/support/scripted-lambda.ts', 'scripted-lambda.js')
const credentials = {accessKeyId: 'test', secretAccessKey: 'test'}

try {
  if (values.delivery) await delivery(directory)
  else if (Number(values.kills) > 0) await kills(Number(values.kills), Number(values.seed))
  else await table()
} finally {
  rmSync(directory, {recursive: true, force: true})
}

async function table() {
  console.log('attaching N mappings at once, simulated endpoint; failed / 429s / seconds from the first create to the last 202')
  console.log('limit      N   no retry           SDK retry (3)      skk                x of N/limit')
  for (const rate of [15, 5, 2]) {
    for (const count of [16, 64]) {
      const bare = await measure({rate, burst: rate}, count, (url) => inParallel(url, count, 1))
      const sdk = await measure({rate, burst: rate}, count, (url) => inParallel(url, count, 3))
      const ours = await measure({rate, burst: rate}, count, (url) => withSkk(url, count))
      const cells = [bare, sdk, ours].map(({failed, throttled, seconds}) =>
        `${failed} / ${throttled} / ${seconds.toFixed(1)}`.padEnd(18),
      )
      const ratio = (ours.seconds / (count / rate)).toFixed(2)
      console.log(`${`${rate}/s`.padEnd(8)} ${String(count).padStart(3)}   ${cells.join(' ')} ${ratio}`)
      if (ours.failed > 0 || ours.made !== count) process.exitCode = 1
    }
  }
}

async function measure(limit, count, attach) {
  const server = await scriptedLambda({limit, latencyMs: 40})
  try {
    await attach(server.url)
    const creates = server.calls.filter(({operation}) => operation === 'create')
    const last = creates.findLast(({status}) => status === 202)
    return {
      made: server.mappings.size,
      failed: count - server.mappings.size,
      throttled: server.calls.filter(({status}) => status === 429).length,
      seconds: last ? (last.at - creates[0].at) / 1000 : 0,
    }
  } finally {
    await server.close()
  }
}

async function inParallel(endpoint, count, maxAttempts) {
  const client = new LambdaClient({region: REGION, endpoint, credentials, maxAttempts})
  const creates = Array.from({length: count}, (_, i) =>
    client.send(
      new CreateEventSourceMappingCommand({
        FunctionName: 'f',
        EventSourceArn: CLUSTER,
        Topics: [`topic-${i}`],
        StartingPosition: 'TRIM_HORIZON',
        AmazonManagedKafkaEventSourceConfig: {ConsumerGroupId: `f.topic-${i}`},
      }),
    ),
  )
  await Promise.allSettled(creates)
  client.destroy()
}

async function withSkk(endpointUrl, count) {
  const lambda = await openLambda({region: REGION, endpointUrl, credentials: async () => credentials, timeoutMs: 10_000})
  const clock = {now: () => performance.now(), sleep: (ms) => delay(ms)}
  const conduct = {clock, random: Math.random, pace: createPace({clock}), retry: true, deadline: clock.now() + 900_000}
  const world = {lambda, conduct, journal: {...noJournal, run: 'bench'}, options: {}, tickMs: 1_000}
  const wanted = Array.from({length: count}, (_, i) => ({
    function: 'f',
    eventSourceArn: CLUSTER,
    topic: `topic-${i}`,
    settings: {},
    tags: {},
  }))
  const existing = await readExisting(world, wanted)
  await attachAll(
    wanted.map((one) => planMapping(one, existing)),
    world,
  )
  closeLambda(lambda)
}

/** Each round: apply 16 mappings, kill -9 after a random number of milliseconds, apply again; 16 must be there, each once. */
async function kills(rounds, seed) {
  const random = chance(seed)
  const file = join(directory, 'mappings.yaml')
  writeFileSync(file, `mappings:\n${Array.from({length: 16}, (_, i) => `  - {function: f, topic: topic-${i}}\n`).join('')}`)
  const counts = []
  for (let round = 0; round < rounds; round++) {
    const server = await scriptedLambda({latencyMs: 5})
    const home = join(directory, `home-${round}`)
    const first = apply(server.url, home, file)
    // From before the first create until after the last one.
    const goal = Math.floor(random() * 18)
    while (server.count('create') < goal && first.child.exitCode === null) await delay(1)
    await delay(random() * 10)
    first.child.kill('SIGKILL')
    await first.ended
    const before = server.mappings.size
    const code = await apply(server.url, home, file).ended
    const topics = new Set([...server.mappings.values()].map(({Topics}) => Topics[0]))
    counts.push({before, ok: code === 0 && server.mappings.size === 16 && topics.size === 16})
    await server.close()
  }
  const failed = counts.filter(({ok}) => !ok).length
  const at = counts.map(({before}) => before).sort((a, b) => a - b)
  console.log(
    `kill -9 at ${rounds} random points (seed ${seed}), with ${at[0]} to ${at.at(-1)} mappings made: ${rounds - failed} ended with 16, ${failed} did not`,
  )
  if (failed > 0) process.exitCode = 1
}

function apply(url, home, file) {
  const args = ['bin/run.js', 'esm', 'apply', '-f', file, '--yes', '--retry', '--quiet', '--cluster', CLUSTER]
  const env = {
    PATH: process.env.PATH,
    HOME: home,
    AWS_ENDPOINT_URL_LAMBDA: url,
    AWS_REGION: REGION,
    AWS_ACCESS_KEY_ID: 'test',
    AWS_SECRET_ACCESS_KEY: 'test',
  }
  const child = spawn(process.execPath, args, {env, stdio: 'ignore'})
  return {child, ended: new Promise((end) => child.once('close', end))}
}

/** One file of TypeScript that imports nothing of ours, as a module. */
async function compiled(source, name) {
  const options =
    '--module nodenext --target es2023 --types node --skipLibCheck --ignoreConfig --strict --exactOptionalPropertyTypes'.split(
      ' ',
    )
  symlinkSync(resolve('node_modules'), join(directory, 'node_modules'))
  writeFileSync(join(directory, 'package.json'), '{"type": "module"}')
  execFileSync('node_modules/.bin/tsc', [source, ...options, '--outDir', directory], {stdio: 'inherit'})
  return import(pathToFileURL(join(directory, name)).href)
}

/** Mulberry32: the same numbers for the same seed. */
function chance(seed) {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}

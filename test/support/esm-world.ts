import {mkdtemp, rm} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {setTimeout as delay} from 'node:timers/promises'
import {onTestFinished} from 'vitest'

import {closeLambda, openLambda} from '../../src/lib/aws/lambda.js'
import {attachAll, readExisting, type World} from '../../src/lib/esm/attach.js'
import {openJournal} from '../../src/lib/esm/journal.js'
import {createPace} from '../../src/lib/esm/pace.js'
import {type PlanOptions, planMapping, type Wanted} from '../../src/lib/esm/plan.js'
import {CLUSTER, REGION, type ScriptedLambda, type ScriptOptions, scriptedLambda} from './scripted-lambda.js'

export const wanted = (name: string, topic: string, more: Partial<Wanted> = {}): Wanted => ({
  function: name,
  eventSourceArn: CLUSTER,
  topic,
  settings: {},
  tags: {},
  ...more,
})

/** A scripted endpoint that is gone when the test ends. */
export async function lambdaOf(options: ScriptOptions = {}): Promise<ScriptedLambda> {
  const lambda = await scriptedLambda(options)
  onTestFinished(() => lambda.close())
  return lambda
}

/** The engine against that endpoint, with real sockets; back-off is `speed` times as fast as for people. */
export async function worldOf(
  server: ScriptedLambda,
  {retry = true, speed = 100, deadlineMs = 60_000, options = {} as PlanOptions, rate = 1000, run = 'run-1'} = {},
): Promise<World & {slept: number[]; attach(plan: readonly Wanted[]): ReturnType<typeof attachAll>}> {
  const lambda = await openLambda({
    region: REGION,
    endpointUrl: server.url,
    credentials: async () => ({accessKeyId: 'test', secretAccessKey: 'test'}),
    timeoutMs: 5_000,
  })
  const directory = await mkdtemp(join(tmpdir(), 'skk-esm-'))
  onTestFinished(async () => {
    closeLambda(lambda)
    await rm(directory, {recursive: true, force: true})
  })
  const slept: number[] = []
  const clock = {
    now: () => performance.now() * speed,
    async sleep(ms: number) {
      slept.push(ms)
      await delay(ms / speed)
    },
  }
  const conduct = {
    clock,
    random: Math.random,
    pace: createPace({clock, rate, burst: rate, ceiling: rate}),
    retry,
    deadline: clock.now() + deadlineMs * speed,
  }
  const world: World = {lambda, conduct, journal: openJournal(join(directory, run), 'plan', run), options, tickMs: 100}
  return {
    ...world,
    slept,
    async attach(plan) {
      const existing = await readExisting(world, plan)
      return attachAll(
        plan.map((one) => planMapping(one, existing, options)),
        world,
      )
    },
  }
}

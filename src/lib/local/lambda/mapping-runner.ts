import {setTimeout as sleep} from 'node:timers/promises'

import type {GivenUp, Invocation, PollerEvent} from '../../lambda/mapping.js'
import {createPoller} from '../../lambda/poller.js'
import type {RunningCluster} from '../clusters.js'
import type {Topic} from '../kafka/broker.js'
import {deliverToFile, deliverToTopic, parseOnFailure} from './destinations.js'
import {parseReference, versionOf} from './function-record.js'
import type {Functions} from './functions.js'
import {GroupMember, type Membership} from './group-member.js'
import type {MappingMetrics} from './mapping-metrics.js'
import {type MappingRecord, rulesOf} from './mapping-record.js'
import {partitionSource, startOffsets} from './partition-source.js'
import {THROTTLED} from './sandboxes.js'

export type RunnerOptions = {
  functions: Functions
  /** Undefined while the cluster does not run. */
  cluster(arn: string): RunningCluster | undefined
  region: string
  accountId: string
  /** Of on-failure destinations. */
  destinationsDir: string
  metrics: MappingMetrics
  log(line: string): void
}

const CONNECTION_ERROR = 'PROBLEM: Connection error. Please check your event source connection configuration.'
const FUNCTION_ERROR = 'PROBLEM: Function call failed'
const DESTINATION_ERROR = 'PROBLEM: Failed to deliver to the on-failure destination.'

/** How often a cluster or topic that is not there is looked for, and whether the topic has got partitions. */
const LOOK_MS = 1_000
/** What a stop waits for a running invocation; its records come again otherwise. */
const GRACE_MS = 3_000
/** Tells nothing about the function. */
const STOPPED: Invocation = {ok: false, kind: 'unavailable', message: 'the poller stops'}

/** Feeds the function of a mapping until `stop` aborts; then the group is left. */
export async function runMapping(mapping: MappingRecord, options: RunnerOptions, stop: AbortSignal): Promise<void> {
  let member: {of: RunningCluster; member: GroupMember} | undefined
  while (!stop.aborted) {
    const cluster = options.cluster(mapping.eventSourceArn)
    const topic = cluster?.broker.topics.get(mapping.topic)
    if (!cluster || !topic) {
      mapping.lastProcessingResult = CONNECTION_ERROR
      await rest(stop)
      continue
    }
    if (member?.of !== cluster) member = {of: cluster, member: new GroupMember(cluster.broker, mapping)}
    try {
      await pollUntilRebalance(mapping, {cluster, topic, member: member.member}, options, stop)
    } catch (error) {
      if (stop.aborted) break
      mapping.lastProcessingResult = CONNECTION_ERROR
      options.log(`error: mapping ${mapping.uuid}: ${(error as Error).message}`)
      await rest(stop)
    }
  }
  member?.member.leave()
}

const rest = (stop: AbortSignal): Promise<void> => sleep(LOOK_MS, undefined, {signal: stop}).catch(() => {})

type Place = {cluster: RunningCluster; topic: Topic; member: GroupMember}

/** One generation of the group: ends with the mapping, a rebalance, or when the topic is another or has more partitions. */
async function pollUntilRebalance(
  mapping: MappingRecord,
  place: Place,
  options: RunnerOptions,
  stop: AbortSignal,
): Promise<void> {
  const {cluster, topic, member} = place
  const {broker} = cluster
  const count = topic.partitions.length
  const changed = new AbortController()
  const membership = await joinUnlessStopped(member, stop)
  if (!membership) return
  const look = setInterval(() => {
    const now = broker.topics.get(mapping.topic)
    const isSame = options.cluster(mapping.eventSourceArn) === cluster && now === topic && now.partitions.length === count
    if (!isSame) changed.abort()
  }, LOOK_MS)
  try {
    const ended = AbortSignal.any([stop, membership.lost, changed.signal])
    const partitions = await beginAt(mapping, place, membership)
    await createPoller({
      rules: rulesOf(mapping, cluster.bootstrap),
      partitions,
      source: partitionSource(broker, mapping.topic),
      committer: membership,
      invoke: (_event, payload, {signal}) => invokeUnlessStopped(mapping, payload, options, signal),
      ...(mapping.onFailure !== undefined && {destination: (givenUp) => deliver(mapping, givenUp, cluster, options)}),
      clock: {now: Date.now, sleep: (ms, signal) => sleep(ms, undefined, {signal}).catch(() => {})},
      on: (event) => note(mapping, event, options),
    }).run(ended)
  } finally {
    clearInterval(look)
    membership.stop()
  }
}

/** The other members may let us wait for as long as their session lasts, and a stack that stops has no such time. */
async function joinUnlessStopped(member: GroupMember, stop: AbortSignal): Promise<Membership | undefined> {
  const joining = member.join()
  const joined = new AbortController()
  const stopped = sleepUntil(stop, joined.signal)
  try {
    const membership = await Promise.race([joining, stopped])
    if (membership) return membership
    joining.then(
      (late) => {
        late.stop()
        member.leave()
      },
      () => {},
    )
    return undefined
  } finally {
    joined.abort()
  }
}

/** Resolves when `signal` aborts; never after `enough` has. */
function sleepUntil(signal: AbortSignal, enough: AbortSignal): Promise<undefined> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve(undefined)
    else signal.addEventListener('abort', () => resolve(undefined), {once: true, signal: enough})
  })
}

/** A position that moves with time is kept at once, so that a restart does not pass over what came meanwhile. */
async function beginAt(mapping: MappingRecord, {cluster, topic}: Place, membership: Membership): Promise<Map<number, number>> {
  const starts = await startOffsets(cluster.broker, topic, membership.partitions, mapping)
  if (mapping.startingPosition !== 'TRIM_HORIZON' && starts.size > 0) await membership.commit(starts)
  return starts
}

async function invokeUnlessStopped(
  mapping: MappingRecord,
  payload: Buffer,
  options: RunnerOptions,
  signal: AbortSignal,
): Promise<Invocation> {
  const settled = new AbortController()
  const stopped = async (): Promise<Invocation> => {
    await sleepUntil(signal, settled.signal)
    await sleep(GRACE_MS, undefined, {signal: settled.signal}).catch(() => {})
    return STOPPED
  }
  try {
    return await Promise.race([invoke(mapping, payload, options), stopped()])
  } finally {
    settled.abort()
  }
}

async function invoke({functionArn}: MappingRecord, payload: Buffer, options: RunnerOptions): Promise<Invocation> {
  const {functions} = options
  const reference = parseReference(functionArn, options)
  const record = reference && functions.find(reference.name)
  const version = record && versionOf(record, reference.qualifier)
  if (!record || !version) return {ok: false, kind: 'unavailable', message: `Function not found: ${functionArn}`}
  if (version.state !== 'Active') return {ok: false, kind: 'unavailable', message: `${functionArn} is ${version.state}`}
  const result = await functions.invoke(record, version, {payload, qualifier: reference.qualifier})
  if (result === THROTTLED) return {ok: false, kind: 'throttled', message: 'Rate Exceeded.'}
  const answer = parseAnswer(result.payload)
  const {requestId} = result
  if (!result.functionError) return {requestId, ok: true, payload: answer}
  const message = (answer as {errorMessage?: unknown} | null)?.errorMessage
  return {requestId, ok: false, kind: result.timedOut ? 'timeout' : 'functionError', message: String(message ?? 'unknown error')}
}

function parseAnswer(payload: Buffer): unknown {
  try {
    return JSON.parse(payload.toString())
  } catch {
    return undefined
  }
}

async function deliver(
  mapping: MappingRecord,
  givenUp: GivenUp,
  {broker}: RunningCluster,
  options: RunnerOptions,
): Promise<void> {
  const {functionArn, onFailure} = mapping
  const destination = parseOnFailure(onFailure!)!
  const reference = parseReference(functionArn, options)
  const record = reference && options.functions.find(reference.name)
  const executedVersion = (record && versionOf(record, reference.qualifier)?.version) ?? '$LATEST'
  const delivered = {functionArn, executedVersion}
  if (destination.service === 'kafka') await deliverToTopic(broker, destination.name, givenUp, delivered)
  else await deliverToFile(options.destinationsDir, destination, givenUp, delivered)
}

/** LastProcessingResult, the metrics, and what the stack's log should tell. */
function note(mapping: MappingRecord, event: PollerEvent, {log, metrics}: RunnerOptions): void {
  if (mapping.metrics?.includes('EventCount')) metrics.count(event, Date.now())
  const name = `mapping ${mapping.uuid}`
  if (event.type === 'pollingFailed' || event.type === 'commitFailed') {
    mapping.lastProcessingResult = CONNECTION_ERROR
    log(`error: ${name}: ${(event.error as Error).message}`)
  } else if (event.type === 'invoked' && event.invocation !== STOPPED) {
    const {invocation, failed} = event
    mapping.lastProcessingResult = invocation.ok && failed === 0 ? 'OK' : FUNCTION_ERROR
  } else if (event.type === 'givenUp' && !event.delivered) {
    const {condition, records} = event.givenUp
    log(
      `${name}: ${records.length} records dropped, ${condition}, from offset ${records[0]?.offset} of partition ${records[0]?.partition}`,
    )
  } else if (event.type === 'destinationFailed') {
    mapping.lastProcessingResult = DESTINATION_ERROR
    log(`error: ${name}: ${(event.error as Error).message}`)
  }
}

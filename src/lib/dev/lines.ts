import {type SourceRecord, topicPartition} from '../lambda/event.js'
import type {GivenUp, Invocation, MappingRules, PollerEvent} from '../lambda/poller.js'

/** What is shown of a delivery: a line for people, an object for programs. Undefined: nothing to show. */
export type Shown = {text: string; json: Record<string, unknown>}

const ANSWER_LENGTH = 200

/** An event of the poller in words: what happened here, or what Lambda would do now. `durationMs` is of an invocation. */
export function shown(
  event: PollerEvent,
  rules: MappingRules,
  durationMs: (invocation: Invocation) => number,
): Shown | undefined {
  switch (event.type) {
    case 'invoked': {
      const {records, failed, attempt, payloadSize, invocation} = event
      return invoked({topic: rules.topic, records, failed, attempt, payloadSize, invocation, durationMs: durationMs(invocation)})
    }
    case 'retrying': {
      const forever = rules.maximumRetryAttempts < 0 && !rules.hasDestination && rules.maximumRecordAgeMs === Infinity
      const then = forever ? '; it goes on for ever, and what comes after in their partitions waits' : ''
      const text = `  Lambda tries ${records(event.records)} again in ${(event.delayMs / 1000).toFixed(1)} s: ${event.reason}${then}`
      return {text, json: {...event}}
    }
    case 'bisected':
      return {text: `  Lambda halves the batch: ${event.sizes[0]} and ${event.sizes[1]}`, json: {...event}}
    case 'givenUp':
      return givenUp(event.givenUp, rules)
    case 'pollingFailed': {
      const reason = (event.error as Error).message
      return {text: `  cannot read partition ${event.partition}: ${reason}`, json: {...event, error: reason}}
    }
    default:
      return undefined
  }
}

export type Invoked = {
  topic: string
  records: readonly Pick<SourceRecord, 'partition' | 'offset'>[]
  failed: number
  attempt: number
  payloadSize: number
  invocation: Invocation
  durationMs: number
}

/** One call of the handler: which records, and how it ended. */
export function invoked({topic, records: all, failed, attempt, payloadSize, invocation, durationMs}: Invoked): Shown {
  const spans = spansOf(topic, all)
  const where = Object.entries(spans).map(([name, {from, to}]) => (from === to ? `${name} ${from}` : `${name} ${from}..${to}`))
  const size = `${records(all.length)}, ${(payloadSize / 1024).toFixed(1)} KiB`
  const tried = attempt > 1 ? `, attempt ${attempt}` : ''
  const text = `${where.join(', ')} (${size}${tried}): ${outcome(invocation, failed, all.length)} in ${Math.round(durationMs)} ms`
  const result = invocation.ok ? {answer: invocation.payload} : {error: {kind: invocation.kind, message: invocation.message}}
  const json = {type: 'invoked', partitions: spans, records: all.length, failed, attempt, payloadSize, durationMs, ...result}
  return {text, json}
}

function outcome(invocation: Invocation, failed: number, total: number): string {
  if (!invocation.ok) return invocation.message
  const answer = JSON.stringify(invocation.payload) ?? 'null'
  const short = answer.length > ANSWER_LENGTH ? `${answer.slice(0, ANSWER_LENGTH)}…` : answer
  const verdict = failed === 0 ? 'ok' : failed === total ? 'all failed' : `${failed} of ${total} failed`
  return answer === 'null' ? verdict : `${verdict}, ${short}`
}

function spansOf(topic: string, all: Invoked['records']): Record<string, {from: number; to: number}> {
  const spans: Record<string, {from: number; to: number}> = {}
  for (const {partition, offset} of all) {
    const name = topicPartition(topic, partition)
    spans[name] = {from: Math.min(offset, spans[name]?.from ?? offset), to: Math.max(offset, spans[name]?.to ?? offset)}
  }
  return spans
}

function givenUp({condition, records: all, approximateInvokeCount}: GivenUp, {topic, hasDestination}: MappingRules): Shown {
  const partitions = spansOf(topic, all)
  const where = Object.entries(partitions).map(([name, {from, to}]) =>
    from === to ? `${name} ${from}` : `${name} ${from}..${to}`,
  )
  const them = all.length === 1 ? 'it' : 'them'
  const fate = hasDestination ? `sends ${them} to the on-failure destination` : `drops ${them}`
  return {
    text: `  Lambda gives up ${records(all.length)} (${where.join(', ')}; ${condition}) and ${fate}`,
    json: {type: 'givenUp', condition, partitions, records: all.length, approximateInvokeCount, destination: hasDestination},
  }
}

const records = (count: number): string => `${count} ${count === 1 ? 'record' : 'records'}`

import {estimatePollersMonthlyCost, HOURS_PER_MONTH, LAMBDA_LIMITS, LAMBDA_PRICES, PRICES, QUOTAS} from '../limits.js'
import type {Answers} from './answers.js'
import {holds} from './fill.js'
import {type Template, withParts} from './templates.js'

/** US dollars a month, in us-east-1. */
export type Estimate = {items: {what: string; dollars: number}[]; dollars: number; asOf: string}

export type Load = {
  /** Records a second, while there is load. */
  rate: number
  /** Bytes of a record. */
  size: number
  /** Hours a day with load. */
  hours: number
}

export type Fit = {fits: boolean; reasons: string[]; estimate: Estimate; onDemand: Estimate}

const DAYS_PER_MONTH = HOURS_PER_MONTH / 24
/** Above it the function is a server that never rests, which costs less as one. */
const BUSY_INSTANCES = 10
const BUSY_HOURS = 18

/** What a project costs before the first record comes. */
export function standingCost(whole: Template, answers: Answers): Estimate {
  const template = withParts(whole, answers)
  const {alarms, secrets} = template.costs
  const pollers = pollersOf(template, answers)
  return sum([
    ...(pollers > 0 ? [{what: 'provisioned pollers', dollars: estimatePollersMonthlyCost(pollers)}] : []),
    ...(answers['iac'] === 'none' || alarms === 0
      ? []
      : [{what: `${alarms} alarms`, dollars: alarms * LAMBDA_PRICES.alarmMonth}]),
    ...(usesSecret(secrets, answers) ? [{what: 'secret', dollars: LAMBDA_PRICES.secretMonth}] : []),
  ])
}

const usesSecret = (secrets: number | string, answers: Answers): boolean =>
  typeof secrets === 'string' ? holds(secrets, answers) : secrets > 0

const pollersOf = ({costs, mapping}: Template, answers: Answers): number =>
  mapping && answers['provisioned'] === 'true' ? costs.pollers : 0

/**
 * What the project costs under a load, with its share of the cluster, and whether a function is the right place for it. How long a
 * record takes is the template's assumption.
 */
export function fitOf(whole: Template, answers: Answers, load: Load): Fit {
  const template = withParts(whole, answers)
  const reasons = objections(template, load)
  return {
    fits: reasons.length === 0,
    reasons,
    estimate: underLoad(template, answers, load),
    onDemand: underLoad(template, {...answers, provisioned: 'false'}, load),
  }
}

function underLoad(template: Template, answers: Answers, load: Load): Estimate {
  const seconds = load.hours * 3600 * DAYS_PER_MONTH
  const gigabytes = (load.rate * load.size * seconds) / 1e9
  const invocations = (load.rate / recordsPerBatch(template, load)) * seconds
  const busySeconds = (load.rate * template.costs.recordMs * seconds) / 1000
  const standing = standingCost(template, answers).items.filter(({what}) => what !== 'provisioned pollers')
  const pollers = pollersOf(template, answers)
  const needed = Math.max(pollers, Math.ceil((load.rate * load.size) / LAMBDA_LIMITS.pollerBytesPerSecond))
  return sum([
    {what: 'requests to Lambda', dollars: (invocations / 1e6) * LAMBDA_PRICES.millionRequests},
    {what: 'time of the function', dollars: busySeconds * (template.function.memory / 1024) * LAMBDA_PRICES.gigabyteSecond},
    ...(pollers > 0 ? [{what: 'provisioned pollers', dollars: estimatePollersMonthlyCost(needed)}] : []),
    {what: 'data in and out of MSK', dollars: gigabytes * (PRICES.gigabyteIn + PRICES.gigabyteOut)},
    ...standing,
  ])
}

/** A batch is full, or its window is over, or its payload as base64 is as large as it may be. */
function recordsPerBatch({costs, mapping}: Template, {rate, size}: Load): number {
  const batch: Record<string, unknown> | undefined = mapping ?? costs.batch
  const largest = Number(batch?.['batchSize'] ?? 1)
  const inWindow = rate * Number(batch?.['batchingWindow'] ?? 0)
  const inPayload = LAMBDA_LIMITS.payloadBytes / (size * (4 / 3) + 200)
  return Math.max(1, Math.min(largest, inPayload, Math.max(1, inWindow)))
}

function objections({costs, function: {timeout}}: Template, {rate, size, hours}: Load): string[] {
  const instances = (rate * costs.recordMs) / 1000
  const bytes = rate * size
  return [
    ...(size * (4 / 3) > LAMBDA_LIMITS.payloadBytes
      ? [`a record of ${size} bytes cannot be delivered: an event has ${LAMBDA_LIMITS.payloadBytes} bytes at most, in base64`]
      : []),
    ...(bytes > QUOTAS.ingressBytesPerSecond
      ? [`${Math.round(bytes / 1e6)} MB/s are more than a cluster takes (${QUOTAS.ingressBytesPerSecond / 1e6} MB/s)`]
      : []),
    ...(instances >= BUSY_INSTANCES && hours >= BUSY_HOURS
      ? [`steady high load: ${Math.round(instances)} instances are busy ${hours} hours a day, where a container costs less`]
      : []),
    ...(costs.recordMs > Number.parseInt(timeout, 10) * 1000
      ? [`one record takes longer than the function may run (${timeout})`]
      : []),
  ]
}

/** What no number tells. */
export const NEVER_A_FIT =
  'heavy ETL, high-performance computing, training of models, and software with a licence bound to a host'

function sum(items: Estimate['items']): Estimate {
  const dollars = items.reduce((total, item) => total + item.dollars, 0)
  const [asOf] = [PRICES.asOf, LAMBDA_PRICES.asOf].sort()
  return {items, dollars, asOf: asOf!}
}

import {SkkError} from '../../errors.js'
import {apis} from './api/index.js'
import {canRefuse} from './fault-answers.js'
import {FAULT_ACTIONS, FAULT_MOMENTS, type FaultRule} from './faults.js'
import {messages} from './messages.js'

/** A rule as a command or the control route gives it; `api` is a name or a key. Throws SkkError (usage). */
export function readFaultRule(input: Readonly<Record<string, unknown>>): FaultRule {
  const {api, action, when = 'before', topic} = input
  if (!FAULT_ACTIONS.includes(action as never)) throw refused(`a fault's action is one of ${FAULT_ACTIONS.join(', ')}`)
  if (!FAULT_MOMENTS.includes(when as never)) throw refused('a fault happens before or after a request is carried out')
  if (topic !== undefined && typeof topic !== 'string') throw refused('the topic of a fault is its name')
  const rule: FaultRule = {
    ...(api !== undefined && {api: apiKeyOf(api)}),
    ...(topic !== undefined && {topic}),
    ...whole(input, 'partition', 'node', 'errorCode', 'ms', 'skip', 'times', 'seed'),
    ...(input['probability'] !== undefined && {probability: input['probability'] as number}),
    action: action as FaultRule['action'],
    when: when as FaultRule['when'],
  }
  if (rule.probability !== undefined && !(rule.probability > 0 && rule.probability <= 1))
    throw refused('a probability is above 0 and at most 1')
  if (rule.action === 'error' && (rule.errorCode === undefined || rule.api === undefined))
    throw refused('the fault "error" needs an API and an error code')
  if (rule.action === 'error' && !canRefuse(rule.api!))
    throw refused(`${messages[rule.api!]!.name} has no answer that is an error`)
  if ((rule.action === 'delay' || rule.action === 'throttle') && rule.ms === undefined)
    throw refused(`the fault "${rule.action}" needs a time`)
  return rule
}

type Whole = 'partition' | 'node' | 'errorCode' | 'ms' | 'skip' | 'times' | 'seed'

function whole(input: Readonly<Record<string, unknown>>, ...names: Whole[]): {[Name in Whole]?: number} {
  const given = names.filter((name) => input[name] !== undefined)
  const bad = given.find((name) => !Number.isInteger(input[name]) || ((input[name] as number) < 0 && name !== 'errorCode'))
  if (bad) throw refused(`"${bad}" of a fault must be a whole number`)
  return Object.fromEntries(given.map((name) => [name, input[name]]))
}

function apiKeyOf(api: unknown): number {
  const found = apis.find(
    ({key}) => String(key) === String(api) || messages[key]!.name.toLowerCase() === String(api).toLowerCase(),
  )
  if (found) return found.key
  throw refused(`there is no API "${api}"`, `Known are ${apis.map(({key}) => messages[key]!.name).join(', ')}.`)
}

const refused = (message: string, hint = 'See `skk local faults add --help`.'): SkkError =>
  new SkkError(message, {code: 'USAGE', exit: 'usage', hint})

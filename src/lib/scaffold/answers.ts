import {SkkError} from '../errors.js'
import {nearest} from '../nearest.js'
import {holds} from './fill.js'
import type {AnswerRule, Template} from './templates.js'

/** Everything that a project is made from: the same answers give the same bytes. */
export type Answers = Record<string, string>

export const RUNTIMES = ['nodejs24.x', 'nodejs22.x', 'nodejs26.x'] as const
export const IACS = ['sam', 'cdk', 'none'] as const
export const ESMS = ['native', 'post-deploy'] as const

const NAME = '[a-z][a-z0-9-]{0,39}'

/** What every template asks. What a flag or a context answers has no other default. */
const COMMON: Record<string, AnswerRule> = {
  name: {description: 'name of the function and of the project', default: '', pattern: NAME},
  runtime: {description: 'runtime of the function', default: RUNTIMES[0], values: [...RUNTIMES]},
  iac: {description: 'infrastructure code', default: IACS[0], values: [...IACS]},
  esm: {description: 'who makes the mapping', default: ESMS[0], values: [...ESMS]},
  provisioned: {
    description: 'provisioned pollers, and the error controls that need them',
    default: 'true',
    values: ['true', 'false'],
  },
  'cluster-arn': {
    description: 'ARN of the cluster, with its UUID',
    default: '',
    pattern: '|arn:[a-z-]+:kafka:[a-z0-9-]+:\\d{12}:cluster/[\\w-]+/[\\w-]+',
  },
  region: {description: 'region of the stack', default: '', pattern: '|[a-z]{2}(-[a-z]+)+-\\d'},
  subnets: {
    description: 'subnets of the function, separated by commas',
    default: '',
    pattern: '|subnet-[\\w-]+(,subnet-[\\w-]+)*',
  },
  'security-group': {description: 'security group of the cluster', default: '', pattern: '|sg-[\\w-]+'},
}

/** Whatever an answer is, it stands in YAML, JSON and TypeScript and must mean only itself there. */
const HARMLESS = /^[\w.:/?&=%@{}+,~-]*$/

export const rulesOf = ({answers}: Template): Record<string, AnswerRule> => ({...COMMON, ...answers})

/**
 * The answers of a template: those given, and defaults for the rest. Throws SkkError (usage) for one that the template does not ask
 * or that is not allowed, naming what is.
 */
export function settleAnswers(template: Template, given: Answers): Answers {
  const rules = rulesOf(template)
  const unknown = Object.keys(given).find((key) => !Object.hasOwn(rules, key))
  if (unknown !== undefined) throw refuseUnknown(unknown, template)
  const answers = Object.fromEntries(Object.entries(rules).map(([key, rule]) => [key, given[key] ?? rule.default]))
  for (const [key, rule] of Object.entries(rules)) check(key, answers[key]!, rule)
  refuseTogether(template, answers)
  return answers
}

function check(key: string, value: string, {description, values, pattern}: AnswerRule): void {
  if (values && !values.includes(value)) throw wrong(key, value, `one of ${values.join(', ')}`)
  if (!HARMLESS.test(value)) throw wrong(key, value, `${description}, in letters, digits and . _ : / ? & = % @ { } + , ~ -`)
  if (pattern && !new RegExp(`^(?:${pattern})$`).test(value)) throw wrong(key, value, description)
}

function refuseTogether({name, refuses = []}: Template, answers: Answers): void {
  const refused = refuses.find(({when}) => when.every((condition) => holds(condition, answers)))
  if (!refused) return
  throw new SkkError(`${refused.when.join(' and ')} do not go together in template "${name}"`, {
    code: 'BAD_ANSWER',
    exit: 'usage',
    hint: `${refused.why.charAt(0).toUpperCase()}${refused.why.slice(1)}.`,
  })
}

const wrong = (key: string, value: string, expected: string): SkkError =>
  new SkkError(`${key} cannot be "${value}"`, {
    code: 'BAD_ANSWER',
    exit: 'usage',
    hint: `It is ${expected}.`,
  })

function refuseUnknown(key: string, template: Template): SkkError {
  const known = Object.keys(rulesOf(template))
  const meant = nearest(key, known)
  return new SkkError(`template "${template.name}" does not ask for "${key}"`, {
    code: 'BAD_ANSWER',
    exit: 'usage',
    hint: meant ? `Did you mean \`--set ${meant}=…\`?` : `It asks for ${known.join(', ')}.`,
  })
}

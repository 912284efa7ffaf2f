import type {Answers} from './answers.js'

/**
 * A line that begins or ends a part, in a comment of the language around it: `# {{#esm=native}}` … `# {{/esm=native}}`. Without a
 * value the answer must not be empty.
 */
const MARKER = /^\s*(?:#|\/\/|<!--)?\s*\{\{([#/])([\w-]+(?:!?=[\w.-]+)?)\}\}\s*(?:-->)?\s*$/

/**
 * The text with answers in the place of `{{name}}`, of `{{endpoint-url.host}}` for the host of a URL, and without the parts whose
 * condition does not hold. Throws Error for a mistake of the template.
 */
export function fill(text: string, answers: Answers): string {
  const open: {condition: string; holds: boolean}[] = []
  const lines: string[] = []
  for (const line of text.split('\n')) {
    const [, kind, condition] = MARKER.exec(line) ?? []
    if (kind === '#') open.push({condition: condition!, holds: holds(condition!, answers)})
    else if (kind === '/') closes(open.pop()?.condition, condition!)
    else if (open.every((part) => part.holds)) lines.push(fillLine(line, answers))
  }
  if (open.length > 0) throw new Error(`{{#${open[0]!.condition}}} is not closed`)
  return lines.join('\n')
}

/** Whether `iac=sam`, `iac!=none` or `reply-topic` (not empty) is so. */
export function holds(condition: string, answers: Answers): boolean {
  const [, key, operator, value] = /^([\w-]+)(?:(!?=)(.*))?$/.exec(condition) ?? []
  const answer = answerOf(key ?? condition, answers)
  if (operator === undefined) return answer !== ''
  return (answer === value) === (operator === '=')
}

const fillLine = (line: string, answers: Answers): string =>
  line.replaceAll(/\{\{([\w-]+)(\.host)?\}\}/g, (_, key: string, host?: string) =>
    host ? new URL(answerOf(key, answers)).hostname : answerOf(key, answers),
  )

function answerOf(key: string, answers: Answers): string {
  if (key === 'node') return answerOf('runtime', answers).replace(/^nodejs(\d+)\.x$/, '$1')
  const answer = Object.hasOwn(answers, key) ? answers[key] : undefined
  if (answer === undefined) throw new Error(`there is no answer "${key}"`)
  return answer
}

function closes(opened: string | undefined, closed: string): void {
  if (opened !== closed) throw new Error(`{{/${closed}}} does not close {{#${opened}}}`)
}

/** Every text inside a value of JSON, filled. */
export function fillAll<Value>(value: Value, answers: Answers): Value {
  if (typeof value === 'string') return fillLine(value, answers) as Value
  if (Array.isArray(value)) return value.map((one) => fillAll(one, answers)) as Value
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, fillAll(one, answers)])) as Value
}

/** Everything that is wrong with the environment, at once: a function that does not start is redeployed once, not five times. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
}

type Environment = Record<string, string | undefined>

/** Reads variables; what is wrong is gathered. Without `or` a variable has to be there; an empty one is not there. */
export type Reader = {
  text(name: string, or?: string): string
  oneOf<Value extends string>(name: string, values: readonly Value[], or?: NoInfer<Value>): Value
  integer(name: string, range: {min: number; max: number; or?: number}): number
  flag(name: string, or: boolean): boolean
  /** An object of texts, as JSON. */
  texts(name: string, or?: Record<string, string>): Record<string, string>
  /** Adds a complaint of the reader's own. It must not quote a value, which may be a secret. */
  complain(text: string): void
}

/** What `read` makes of the variables. Throws ConfigError with every complaint. */
export function readConfig<Config>(env: Environment, read: (from: Reader) => Config): Config {
  const complaints: string[] = []
  const config = read(readerOf(env, complaints))
  if (complaints.length > 0) throw new ConfigError(`the environment is wrong: ${complaints.join('; ')}`)
  return config
}

function readerOf(env: Environment, complaints: string[]): Reader {
  const value = <Value>(
    name: string,
    or: Value | undefined,
    expected: string,
    parse: (text: string) => Value | undefined,
  ): Value => {
    const text = env[name]
    if (text === undefined || text === '') {
      if (or === undefined) complaints.push(`${name} is missing (${expected})`)
      return or as Value
    }
    const parsed = parse(text)
    if (parsed === undefined) complaints.push(`${name} must be ${expected}`)
    return parsed as Value
  }
  return {
    text: (name, or) => value(name, or, 'a text', (text) => text) ?? '',
    oneOf: (name, values, or) => value(name, or, values.join(', '), (text) => values.find((one) => one === text)),
    integer: (name, {min, max, or}) =>
      value(name, or, `a whole number from ${min} to ${max}`, (text) =>
        /^\d+$/.test(text) && Number(text) >= min && Number(text) <= max ? Number(text) : undefined,
      ),
    flag: (name, or) =>
      value(name, or, 'true or false', (text) => (text === 'true' || text === 'false' ? text === 'true' : undefined)),
    texts: (name, or) => value(name, or, 'a JSON object of texts', parseTexts),
    complain: (text) => complaints.push(text),
  }
}

function parseTexts(text: string): Record<string, string> | undefined {
  try {
    const parsed: unknown = JSON.parse(text)
    const isObject = typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed)
    const texts = isObject && Object.values(parsed).every((one) => typeof one === 'string')
    return texts ? (parsed as Record<string, string>) : undefined
  } catch {
    return undefined
  }
}

import {SkkError} from '../errors.js'

/**
 * A JMESPath expression as a function from a JSON value to the queried one. Throws SkkError (usage) when it does not parse;
 * a function that does not fit its value throws it when it is applied.
 */
export async function compileQuery(expression: string): Promise<(value: unknown) => unknown> {
  const {default: jmespath} = await import('jmespath')
  const refuse = (error: unknown): never => {
    throw new SkkError(`cannot apply --query: ${(error as Error).message}`, {
      code: 'USAGE',
      exit: 'usage',
      hint: 'Write a JMESPath expression over the JSON that `--json` prints, such as --query "[].name".',
    })
  }
  try {
    ;(jmespath as unknown as {compile(expression: string): unknown}).compile(expression)
  } catch (error) {
    refuse(error)
  }

  return (value) => {
    try {
      // Through JSON, because that is what the user sees: dates are strings, absent fields are absent.
      return jmespath.search(JSON.parse(JSON.stringify(value)), expression)
    } catch (error) {
      return refuse(error)
    }
  }
}

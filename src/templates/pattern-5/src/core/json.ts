type WithSource = (key: string, value: unknown, context?: {source?: string}) => unknown

/** Of JavaScript since Node 22, and not yet in TypeScript's library. */
const exact = JSON as unknown as {parse(text: string, reviver: WithSource): unknown; rawJSON(text: string): unknown}

/**
 * The value of a JSON text, in which a number that JavaScript cannot hold, or would write in another way, keeps its digits: JSON
 * that is made of the value again has the same number. On Node 20, which Lambda no longer has, numbers are as JavaScript holds them.
 * Throws SyntaxError.
 */
export function parseExactly(text: string): unknown {
  return exact.parse(text, (_, value, context) => {
    const source = context?.source
    return typeof value === 'number' && source !== undefined && String(value) !== source ? exact.rawJSON(source) : value
  })
}

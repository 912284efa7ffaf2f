type Reviver = (name: string, value: unknown, context: {source?: string}) => unknown
/** Of ECMAScript 2026, which TypeScript does not know yet. Node has it since 22; under an older one, numbers are rounded. */
const {parse, rawJSON} = JSON as unknown as {
  parse(text: string, reviver?: Reviver): unknown
  rawJSON?(text: string): object
}

/**
 * Reads JSON so that JSON.stringify writes it again as it was: a number that no double holds, such as 12345678901234567890 or 1.10,
 * keeps its digits. Throws SyntaxError, or RangeError for a text that is nested too deeply.
 */
export function parseExact(text: string): unknown {
  if (rawJSON === undefined) return parse(text)
  return parse(text, (_, value, {source}) => (typeof value === 'number' && String(value) !== source ? rawJSON(source!) : value))
}

export const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

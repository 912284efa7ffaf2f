import {SkkError} from './errors.js'
import {nearest} from './nearest.js'

/**
 * What a file of YAML that people write holds; null when it is empty. Whole numbers are `bigint` with `bigIntegers`, so that none loses
 * digits. `file` is named in errors. Throws SkkError (usage) when it is not YAML.
 */
export async function parseYaml(source: string, file: string, {bigIntegers = false} = {}): Promise<unknown> {
  const {parseDocument} = await import('yaml')
  const document = parseDocument(source, {intAsBigInt: bigIntegers})
  const [failed] = document.errors
  if (!failed) return document.toJS()
  throw usage(
    `"${file}" is not YAML: ${failed.message.split('\n')[0]?.replace(/[.:]$/, '')}`,
    'Mend it, then run the same command again.',
  )
}

/** Throws SkkError (usage) with the nearest of `known` when `value` has another member. `where` says whose it is. */
export function refuseUnknown(value: Record<string, unknown>, known: readonly string[], where: string): void {
  const unknown = Object.keys(value).find((key) => !known.includes(key))
  if (unknown === undefined) return
  const meant = nearest(unknown, known)
  throw usage(`unknown key "${unknown}" of ${where}`, meant ? `Did you mean "${meant}"?` : `Known are ${known.join(', ')}.`)
}

export const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Date)

/** Throws SkkError (usage): `where` must be `expected`. */
export function wrong(where: string, expected: string, value: unknown): never {
  const found = JSON.stringify(value, (_, part: unknown) => (typeof part === 'bigint' ? Number(part) : part))
  throw usage(`${where} must be ${expected}, not ${found}`, 'Mend the file, then run the same command again.')
}

export const usage = (message: string, hint: string): SkkError => new SkkError(message, {code: 'USAGE', exit: 'usage', hint})

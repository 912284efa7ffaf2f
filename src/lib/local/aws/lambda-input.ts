import {AwsError} from './error.js'

/** What the handlers of the Lambda API read, and the exceptions that they throw. Texts are AWS's where one is known. */

type Members = Readonly<Record<string, unknown>>

export const invalidParameter = (message: string): AwsError =>
  new AwsError(400, 'InvalidParameterValueException', message, {Type: 'User'})

export const notFound = (message: string): AwsError =>
  new AwsError(404, 'ResourceNotFoundException', message, {Type: 'User', Message: message})

export const conflict = (message: string): AwsError => new AwsError(409, 'ResourceConflictException', message, {Type: 'User'})

export const inUse = (message: string): AwsError =>
  new AwsError(400, 'ResourceInUseException', message, {Type: 'User', Message: message})

const violation = (value: unknown, member: string, constraint: string): AwsError =>
  invalidParameter(
    `1 validation error detected: Value '${typeof value === 'string' ? value.slice(0, 256) : JSON.stringify(value)?.slice(0, 256)}' at '${camelCase(member)}' failed to satisfy constraint: Member must ${constraint}`,
  )

const camelCase = (member: string): string => member[0]!.toLowerCase() + member.slice(1)

/** Undefined when the member is missing or null. */
export function readInteger(members: Members, name: string, {min, max}: {min: number; max: number}): number | undefined {
  const value = members[name] ?? undefined
  if (value === undefined) return undefined
  if (!Number.isInteger(value)) throw violation(value, name, 'be an integer')
  if ((value as number) < min) throw violation(value, name, `have value greater than or equal to ${min}`)
  if ((value as number) > max) throw violation(value, name, `have value less than or equal to ${max}`)
  return value as number
}

export function readText(members: Members, name: string, {pattern, max}: {pattern?: RegExp; max: number}): string | undefined {
  const value = members[name] ?? undefined
  if (value === undefined) return undefined
  if (typeof value !== 'string') throw violation(value, name, 'be a string')
  if (value.length > max) throw violation(value, name, `have length less than or equal to ${max}`)
  if (pattern && !pattern.test(value))
    throw violation(value, name, `satisfy regular expression pattern: ${pattern.source.replace(/^\^|\$$/g, '')}`)
  return value
}

export function readRequiredText(members: Members, name: string, rule: {pattern?: RegExp; max: number}): string {
  return readText(members, name, rule) ?? fail(violation(null, name, 'not be null'))
}

export function readBoolean(members: Members, name: string): boolean | undefined {
  const value = members[name] ?? undefined
  if (value !== undefined && typeof value !== 'boolean') throw violation(value, name, 'be a boolean')
  return value
}

export function readChoice<T extends string>(members: Members, name: string, choices: readonly T[]): T | undefined {
  const value = readText(members, name, {max: 256})
  if (value !== undefined && !choices.includes(value as T))
    throw violation(value, name, `satisfy enum value set: [${choices.join(', ')}]`)
  return value as T | undefined
}

/** Undefined when the member is missing or null. */
export function readObject(members: Members, name: string): Members | undefined {
  const value = members[name] ?? undefined
  if (value === undefined) return undefined
  if (typeof value !== 'object' || Array.isArray(value)) throw violation(value, name, 'be an object')
  return value as Members
}

export function readList(members: Members, name: string, {max}: {max: number}): unknown[] | undefined {
  const value = members[name] ?? undefined
  if (value === undefined) return undefined
  if (!Array.isArray(value)) throw violation(value, name, 'be a list')
  if (value.length > max) throw violation(value, name, `have length less than or equal to ${max}`)
  return value
}

export function readTexts(members: Members, name: string, rule: {max: number}): string[] | undefined {
  const values = readList(members, name, rule)
  const stray = values?.find((value) => typeof value !== 'string')
  if (stray !== undefined) throw violation(stray, name, 'be a string')
  return values as string[] | undefined
}

/** AWS's rules for tags of any service: 50, keys of 1-128, values of 0-256 characters, none that begins with `aws:`. */
export function readTags(members: Members, existing: Readonly<Record<string, string>> = {}): Record<string, string> {
  const tags: Record<string, string> = Object.assign(Object.create(null), existing)
  for (const [key, value] of Object.entries(readObject(members, 'Tags') ?? {})) {
    if (key.length < 1 || key.length > 128 || key.startsWith('aws:'))
      throw invalidParameter(`The tag key "${key.slice(0, 128)}" is not valid.`)
    if (typeof value !== 'string' || value.length > 256) throw invalidParameter(`The value of the tag "${key}" is not valid.`)
    tags[key] = value
  }
  if (Object.keys(tags).length > 50) throw invalidParameter('A resource has at most 50 tags.')
  return tags
}

function fail(error: Error): never {
  throw error
}

/** One page of `items`, each known by `idOf`; the marker is the id of the last one, so that a page goes on where items went. */
export function page<T>(
  items: readonly T[],
  query: ReadonlyMap<string, readonly string[]>,
  idOf: (item: T) => string,
  most: number,
): {items: T[]; NextMarker?: string} {
  const text = query.get('MaxItems')?.[0]
  const size = text === undefined ? most : Number(text)
  if (!Number.isInteger(size) || size < 1 || size > 10_000) throw violation(text, 'MaxItems', 'have value from 1 to 10000')
  const marker = query.get('Marker')?.[0]
  const after = marker === undefined || marker === '' ? '' : Buffer.from(marker, 'base64url').toString()
  const sorted = items.toSorted((a, b) => (idOf(a) < idOf(b) ? -1 : 1)).filter((item) => idOf(item) > after)
  const shown = sorted.slice(0, Math.min(size, most))
  const last = shown.at(-1)
  return {items: shown, ...(last && sorted.length > shown.length && {NextMarker: Buffer.from(idOf(last)).toString('base64url')})}
}

import {functionNameOf, type Mapping} from '../aws/mapping.js'
import {SkkError} from '../errors.js'
import {nearest} from '../nearest.js'

export type Selection = {uuids?: readonly string[]; functionName?: string | undefined; topic?: string | undefined}

/** The mappings that are meant, by function and topic. Throws SkkError (not found) for a UUID that there is not. */
export function selectMappings(all: readonly Mapping[], {uuids = [], functionName, topic}: Selection): Mapping[] {
  const unknown = uuids.find((uuid) => !all.some((mapping) => mapping.uuid === uuid))
  if (unknown !== undefined) throw notFound(unknown, all)
  const name = functionName && functionNameOf(functionName)
  return all
    .filter((mapping) => uuids.length === 0 || uuids.includes(mapping.uuid))
    .filter((mapping) => name === undefined || mapping.function === name)
    .filter((mapping) => topic === undefined || mapping.topic === topic)
    .sort((a, b) => a.function.localeCompare(b.function) || a.topic.localeCompare(b.topic))
}

/** One mapping, for a verb that acts on one. Throws SkkError: not found, or usage when several match. */
export function theOnly(found: readonly Mapping[]): Mapping {
  if (found.length === 1) return found[0]!
  if (found.length === 0) {
    throw new SkkError('no mapping matches', {
      code: 'MAPPING_NOT_FOUND',
      exit: 'notFound',
      hint: 'Run `skk esm list` to see the mappings there are.',
    })
  }
  throw new SkkError(
    `${found.length} mappings match: ${found.map(({function: name, topic}) => `"${name} < ${topic}"`).join(', ')}`,
    {
      code: 'USAGE',
      exit: 'usage',
      hint: 'Name one by its UUID, or by `--function` and `--topic`.',
    },
  )
}

function notFound(uuid: string, all: readonly Mapping[]): SkkError {
  const meant = nearest(
    uuid,
    all.map((mapping) => mapping.uuid),
  )
  return new SkkError(`mapping "${uuid}" does not exist`, {
    code: 'MAPPING_NOT_FOUND',
    exit: 'notFound',
    hint: `${meant ? `Did you mean "${meant}"? ` : ''}Run \`skk esm list\` to see the mappings there are.`,
  })
}

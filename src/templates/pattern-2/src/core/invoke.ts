import type {RowChange} from './message.ts'

const OPS = {INSERT: 'c', UPDATE: 'u', DELETE: 'd'} as const

/** The event is none that the trigger of sql/invoke.sql makes. */
export class EventError extends Error {
  override readonly name = 'EventError'
}

/** The changes of an event: one, or `{"changes": […]}`. Rows are texts of JSON. Throws EventError. */
export function changesOf(event: unknown, keyColumn: string): RowChange[] {
  const changes = isObject(event) && 'changes' in event ? event['changes'] : [event]
  if (!Array.isArray(changes)) throw new EventError('"changes" must be a list')
  return changes.map((change, index) => {
    try {
      return changeOf(change, keyColumn)
    } catch (error) {
      throw new EventError(`change ${index}: ${(error as Error).message}`)
    }
  })
}

function changeOf(change: unknown, keyColumn: string): RowChange {
  if (!isObject(change)) throw new EventError('is no object')
  const {op, schema, table, id, txId, atMs} = change
  if (typeof op !== 'string' || !Object.hasOwn(OPS, op)) throw new EventError('"op" must be INSERT, UPDATE or DELETE')
  for (const name of ['schema', 'table', 'id'])
    if (typeof change[name] !== 'string') throw new EventError(`"${name}" must be a text`)
  if (typeof atMs !== 'number') throw new EventError('"atMs" must be a number')
  const [before, after] = [rowOf(change, 'before'), rowOf(change, 'after')]
  const key = keyOf(op === 'DELETE' ? before : after, keyColumn)
  const known = {schema: schema as string, table: table as string, id: id as string, atMs}
  return {op: OPS[op as keyof typeof OPS], key, before, after, txId: typeof txId === 'string' ? txId : null, ...known}
}

function rowOf(change: Record<string, unknown>, name: string): string | null {
  const row = change[name] ?? null
  if (row !== null && typeof row !== 'string') throw new EventError(`"${name}" must be a text of JSON, or null`)
  return row
}

type WithSource = (name: string, value: unknown, context?: {source?: string}) => unknown

/** Since Node 22 a number has its text, and TypeScript's library does not know yet. */
const exact = JSON as unknown as {parse(text: string, reviver: WithSource): unknown}

/** As the row writes it: a number that JavaScript cannot hold would be another key. */
function keyOf(row: string | null, keyColumn: string): string {
  let parsed: unknown
  try {
    parsed = exact.parse(row ?? '', (_, value, context) =>
      typeof value === 'number' ? (context?.source ?? String(value)) : value,
    )
  } catch {
    throw new EventError('the row is no JSON')
  }
  const key = isObject(parsed) && Object.hasOwn(parsed, keyColumn) ? parsed[keyColumn] : undefined
  if (typeof key !== 'string') throw new EventError(`the row has no text or number "${keyColumn}"`)
  return key
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

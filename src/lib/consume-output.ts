import {SHOWN} from './consume-flags.js'
import {SkkError} from './errors.js'
import {csv} from './kafka/consume/csv.js'
import {envelopes, queried, type RecordFormat, rewritten, values} from './kafka/consume/format.js'
import {template, unescaped} from './kafka/consume/template.js'
import type {ValueKind} from './kafka/consume/value.js'
import {sanitize, sanitizeJson} from './output/sanitize.js'

export type FormatChoice = {
  value: ValueKind
  delimiter?: string | undefined
  show?: string | undefined
  template?: string | undefined
  csv: boolean
  json: boolean
  /** What `--query` makes of each envelope. */
  query: ((value: unknown) => unknown) | null
  /** Foreign bytes go to a terminal as harmless text only. */
  terminal: boolean
}

/** How records of `topic` are written. Throws SkkError (usage). */
export function formatOf(topic: string, choice: FormatChoice): RecordFormat {
  const {value, query, json, terminal} = choice
  const format = json || query ? envelopes(topic, value) : textFormat(topic, choice)
  const asked = query ? queried(format, query) : format
  if (!terminal) return asked
  return rewritten(asked, json || query ? sanitizeJson : sanitize)
}

function textFormat(topic: string, {value, csv: asCsv, template: given, show, delimiter = '\\n'}: FormatChoice): RecordFormat {
  if (asCsv) return csv(value)
  if (given !== undefined) return template(given, topic, value)
  if (show !== undefined) return template(`${shownParts(show).join('\t')}\t%s${delimiter.replaceAll('%', '%%')}`, topic, value)
  return values(value, unescaped(delimiter))
}

function shownParts(list: string): string[] {
  return list.split(',').map((name) => {
    if (Object.hasOwn(SHOWN, name)) return SHOWN[name as keyof typeof SHOWN]
    throw new SkkError(`--show has no "${name}"`, {
      code: 'USAGE',
      exit: 'usage',
      hint: `Name some of ${Object.keys(SHOWN).join(', ')}, separated by commas.`,
    })
  })
}

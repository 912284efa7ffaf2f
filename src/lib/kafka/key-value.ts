import {SkkError} from '../errors.js'

/** The two halves of `key=value`; the value may be empty and may hold further `=`. Throws SkkError (usage). */
export function keyValue(text: string, flag: string): [key: string, value: string] {
  const at = text.indexOf('=')
  if (at > 0) return [text.slice(0, at), text.slice(at + 1)]
  throw new SkkError(`${flag} "${text}" is not of the form key=value`, {
    code: 'USAGE',
    exit: 'usage',
    hint: `Write \`${flag} KEY=VALUE\`, once for each.`,
  })
}

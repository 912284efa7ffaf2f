/**
 * What a terminal could act on instead of showing: C0 except newline and tab, DEL, C1, and the controls that reorder text
 * (CVE-2021-42574): U+202A-202E, U+2066-2069, U+200E, U+200F, U+061C.
 */
const harmful = /[\0-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g

const escaped = (character: string): string => {
  const code = character.charCodeAt(0)
  return code < 0x100 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u${code.toString(16).padStart(4, '0')}`
}

/** Foreign text (a message, a name, a broker's error) as visible characters only: `ESC` becomes `\x1b`. Newlines and tabs stay. */
export const sanitize = (text: string): string => text.replace(harmful, escaped)

/** The same for a text that must stay on one line and in one column: newlines and tabs become `\n` and `\t`. */
export const sanitizeLine = (text: string): string => sanitize(text).replaceAll('\n', '\\n').replaceAll('\t', '\\t')

/** JSON may hold these characters inside strings; as `\u` escapes it means the same and is safe to show. */
export const sanitizeJson = (json: string): string =>
  json.replace(
    /[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g,
    (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )

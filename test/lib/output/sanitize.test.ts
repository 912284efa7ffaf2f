import fc from 'fast-check'
import {describe, expect, it} from 'vitest'

import {sanitize, sanitizeJson, sanitizeLine} from '../../../src/lib/output/sanitize.js'

/** Tests every character by itself: terminals also act on C1 (0x9b is CSI) and on what reorders text. */
const isHarmful = (code: number) =>
  (code < 0x20 && code !== 0x0a && code !== 0x09) ||
  (code >= 0x7f && code <= 0x9f) ||
  [0x061c, 0x200e, 0x200f].includes(code) ||
  (code >= 0x202a && code <= 0x202e) ||
  (code >= 0x2066 && code <= 0x2069)

describe('foreign text', () => {
  it('keeps exactly the harmless characters', () => {
    for (let code = 0; code <= 0xffff; code++) {
      const character = String.fromCharCode(code)
      expect(sanitize(character) === character, code.toString(16)).toBe(!isHarmful(code))
    }
  })

  it('shows what was there', () => {
    expect(sanitize('\x1b]0;title\x07 \x9b2J \u202egnp.exe')).toBe('\\x1b]0;title\\x07 \\x9b2J \\u202egnp.exe')
    expect(sanitizeLine('two\nlines\tand a tab')).toBe('two\\nlines\\tand a tab')
  })
})

it('JSON means the same afterwards', () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.string({unit: 'binary'}), (value, text) => {
      const json = sanitizeJson(JSON.stringify([value, text]))
      expect(JSON.parse(json)).toEqual(JSON.parse(JSON.stringify([value, text])))
      expect([...json].some((c) => isHarmful(c.charCodeAt(0)) || c === '\u2028' || c === '\u2029')).toBe(false)
    }),
  )
})

import {randomBytes} from 'node:crypto'
import {SkkError} from '../../errors.js'
import {seededRandom} from '../../seeded-random.js'
import type {Source} from './input.js'

/** So many lines are made at once. */
const LINES_AT_ONCE = 100

/** A number from 0 to 1, 1 excluded. */
type Random = () => number

/** Gives a piece of line number `counter`, counted from 0. */
type Piece = (counter: number) => string

/**
 * An endless input of lines made from `template`, whose `{{…}}` are filled in: `counter`, `uuid`, `now` (ISO 8601), and
 * `random A B C`, one of these. The same `seed` gives the same lines, except for `now`. Throws SkkError (usage).
 */
export function generated(template: string, seed: number | null): Source {
  const random = seededRandom(seed ?? randomBytes(4).readUInt32BE())
  const pieces = piecesOf(template, random)
  let counter = 0
  let rest: Buffer = Buffer.alloc(0)
  const lines = (): Buffer => {
    let text = ''
    for (let i = 0; i < LINES_AT_ONCE; i++, counter++) {
      for (const piece of pieces) text += piece(counter)
      text += '\n'
    }
    return Buffer.from(text)
  }
  let consumed = 0
  const open = () => ({
    async read(buffer: Buffer, at: number) {
      if (rest.length === 0) rest = lines()
      const copied = rest.copy(buffer, at)
      rest = rest.subarray(copied)
      consumed += copied
      return copied
    },
    consumed: () => consumed,
    async close() {},
  })
  return {name: 'generated records', bytes: null, modified: null, open}
}

function piecesOf(template: string, random: Random): Piece[] {
  if (template.includes('\n')) throw usage('the template of --generate has more than one line')
  // Every second part is what stood between braces.
  return template.split(/\{\{(.*?)\}\}/).map((part, index) => (index % 2 === 0 ? () => part : pieceNamed(part.trim(), random)))
}

function pieceNamed(text: string, random: Random): Piece {
  const [name, ...choices] = text.split(/\s+/)
  if (name === 'counter' && choices.length === 0) return String
  if (name === 'uuid' && choices.length === 0) return () => uuid(random)
  if (name === 'now' && choices.length === 0) return () => new Date().toISOString()
  if (name === 'random' && choices.length > 0) return () => choices[Math.floor(random() * choices.length)]!
  throw usage(`"{{${text}}}" is nothing that --generate fills in`)
}

const usage = (message: string): SkkError =>
  new SkkError(message, {
    code: 'USAGE',
    exit: 'usage',
    hint: 'Use {{counter}}, {{uuid}}, {{now}} and {{random A B C}} in one line.',
  })

/** Version 4 of RFC 9562, from `random`. */
function uuid(random: Random): string {
  const bytes = Buffer.alloc(16)
  for (let at = 0; at < 16; at += 4) bytes.writeUInt32BE(Math.floor(random() * 2 ** 32), at)
  bytes[6] = (bytes[6]! & 0x0f) | 0x40
  bytes[8] = (bytes[8]! & 0x3f) | 0x80
  const hex = bytes.toString('hex')
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-')
}

import {startProgress} from './progress.js'
import {sanitizeLine} from './sanitize.js'

const DRAW_EVERY_MS = 100
/** Of a terminal that does not tell its size. */
const [LINES, COLUMNS] = [24, 80]

export type Rows = {
  /** What one of them is doing now. */
  update(name: string, text: string, isDone?: boolean): void
  /** How far all are, below them. */
  total(text: string, done: number, of: number): void
  /** Takes all lines away; what was printed where there is no terminal stays. */
  stop(): void
}

type Row = {name: string; text: string; isDone: boolean}
type Stream = {isTTY?: boolean; columns?: number; rows?: number; write(text: string): unknown}

let wipeShown: (() => void) | undefined

/** Makes room for a line of somebody else; what is at work is drawn again below it. */
export const wipeRows = (): void => wipeShown?.()

/** Several things at work on standard error: a line each on a terminal, else what `total` said every 10 s, nothing when `quiet`. */
export function startRows({quiet = false} = {}, stream: Stream = process.stderr): Rows {
  if (quiet || !stream.isTTY) {
    const progress = startProgress({quiet}, stream)
    return {update() {}, total: (text, done, of) => progress.update(text, done, of), stop: () => progress.stop()}
  }

  const rows = new Map<string, Row>()
  let last = ''
  let drawn: string[] = []
  const draw = (): void => {
    const lines = [...fitting([...rows.values()], (stream.rows || LINES) - 2), last].map((line) =>
      line.slice(0, (stream.columns || COLUMNS) - 1),
    )
    if (rows.size === 0 || lines.join('\n') === drawn.join('\n')) return
    stream.write(`${wiped(drawn)}${lines.join('\n')}\n`)
    drawn = lines
  }
  const wipe = (): void => {
    stream.write(wiped(drawn))
    drawn = []
  }
  const timer = setInterval(draw, DRAW_EVERY_MS)
  timer.unref()
  wipeShown = wipe

  return {
    update: (name, text, isDone = false) => void rows.set(name, {name, text: sanitizeLine(text), isDone}),
    total(text) {
      last = sanitizeLine(text)
    },
    stop() {
      clearInterval(timer)
      wipe()
      if (wipeShown === wipe) wipeShown = undefined
    },
  }
}

const wiped = (drawn: readonly string[]): string => (drawn.length === 0 ? '' : `\x1b[${drawn.length}A\r\x1b[J`)

/** Those that are not done come first where there is no room for all. */
function fitting(rows: readonly Row[], room: number): string[] {
  const width = Math.max(0, ...rows.map(({name}) => name.length))
  const lineOf = ({name, text}: Row): string => `${sanitizeLine(name).padEnd(width)}  ${text}`
  if (rows.length <= room) return rows.map(lineOf)
  const shown = [...rows].sort((a, b) => Number(a.isDone) - Number(b.isDone)).slice(0, Math.max(1, room - 1))
  return [...shown.map(lineOf), `and ${rows.length - shown.length} more`]
}

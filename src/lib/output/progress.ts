import {sanitizeLine} from './sanitize.js'

const LINE_EVERY_MS = 10_000
const BAR_EVERY_MS = 100
const BAR_WIDTH = 24

export type Progress = {
  /** Where it stands now; `total` may be left out while it is unknown. */
  update(text: string, done?: number, total?: number): void
  /** Takes the bar away; a line that was printed stays. */
  stop(): void
}

/** Long work on standard error: a bar that redraws itself on a terminal, one line every 10 s otherwise, nothing when `quiet`. */
export function startProgress(
  {quiet = false} = {},
  stream: {isTTY?: boolean; columns?: number; write(text: string): unknown} = process.stderr,
): Progress {
  if (quiet) return {update() {}, stop() {}}

  const live = Boolean(stream.isTTY)
  let line = ''
  let shown = ''
  const show = (): void => {
    if (line === '' || (live && line === shown)) return
    stream.write(live ? `\r\x1b[2K${line.slice(0, (stream.columns || 80) - 1)}` : `${line}\n`)
    shown = line
  }
  const timer = setInterval(show, live ? BAR_EVERY_MS : LINE_EVERY_MS)
  timer.unref()

  return {
    update(text, done, total) {
      line = sanitizeLine(
        done === undefined || !total ? text : live ? `${bar(done / total)} ${text}` : `${percent(done / total)} ${text}`,
      )
    },
    stop() {
      clearInterval(timer)
      if (live && shown !== '') stream.write('\r\x1b[2K')
    },
  }
}

const percent = (part: number): string => `${Math.min(100, Math.floor(part * 100))}%`

const bar = (part: number): string => {
  const full = Math.min(BAR_WIDTH, Math.floor(part * BAR_WIDTH))
  return `[${'#'.repeat(full)}${'.'.repeat(BAR_WIDTH - full)}] ${percent(part)}`
}

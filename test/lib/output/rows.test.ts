import {afterEach, beforeEach, describe, expect, it, vi} from 'vitest'

import {startRows, wipeRows} from '../../../src/lib/output/rows.js'

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

/** A terminal of that height that keeps what is on it. */
function terminal(rows = 10, columns = 40) {
  let lines: string[] = []
  const write = (text: string): void => {
    const [, up, rest] = /^(?:\x1b\[(\d+)A\r\x1b\[J)?([\s\S]*)$/.exec(text)!
    if (up) lines = lines.slice(0, -Number(up))
    lines.push(...rest!.split('\n').slice(0, -1))
  }
  return {isTTY: true, rows, columns, write, lines: () => lines}
}

describe('on a terminal', () => {
  it('each has its line, which is drawn over', () => {
    const screen = terminal()
    const rows = startRows({}, screen)

    rows.update('a', 'creating')
    rows.update('long', 'throttled, attempt 2, again in 1.0 s')
    rows.total('0 of 2 done', 0, 2)
    vi.advanceTimersByTime(100)
    rows.update('a', 'created', true)
    rows.total('1 of 2 done', 1, 2)
    vi.advanceTimersByTime(100)

    expect(screen.lines()).toEqual(['a     created', 'long  throttled, attempt 2, again in 1.', '1 of 2 done'])
    rows.stop()
    expect(screen.lines()).toEqual([])
  })

  it('a line of somebody else stays above', () => {
    const screen = terminal()
    const rows = startRows({}, screen)
    rows.update('a', 'creating')
    vi.advanceTimersByTime(100)

    wipeRows()
    screen.write('a note\n')
    vi.advanceTimersByTime(100)

    expect(screen.lines()).toEqual(['a note', 'a  creating', ''])
    rows.stop()
    expect(screen.lines()).toEqual(['a note'])
  })

  it('those that are not done are shown when there is no room for all', () => {
    const screen = terminal(5)
    const rows = startRows({}, screen)

    for (const name of ['a', 'b', 'c', 'd']) rows.update(name, 'created', true)
    rows.update('e', 'creating')
    vi.advanceTimersByTime(100)

    expect(screen.lines().slice(0, -1)).toEqual(['e  creating', 'a  created', 'and 3 more'])
    rows.stop()
  })

  it('names from elsewhere do not move the cursor', () => {
    const screen = terminal()
    const rows = startRows({}, screen)

    rows.update('\x1b[2Jevil', 'a\nb')
    vi.advanceTimersByTime(100)

    expect(screen.lines().join('')).not.toContain('\x1b')
    expect(screen.lines()).toHaveLength(2)
    rows.stop()
  })
})

it('elsewhere there is one line every 10 s', () => {
  const written: string[] = []
  const rows = startRows({}, {write: (text) => written.push(text)})

  rows.update('a', 'creating')
  rows.total('0 of 1 done', 0, 1)
  vi.advanceTimersByTime(25_000)
  rows.stop()

  expect(written).toEqual(['0% 0 of 1 done\n', '0% 0 of 1 done\n'])
})

import {afterEach, beforeEach, expect, it, vi} from 'vitest'

import {startProgress} from '../../../src/lib/output/progress.js'

let written: string
const stream = (isTTY: boolean) => ({
  isTTY,
  columns: 60,
  write(text: string) {
    written += text
  },
})

beforeEach(() => {
  written = ''
  vi.useFakeTimers()
})
afterEach(() => void vi.useRealTimers())

it('is a bar that redraws itself on a terminal, and leaves nothing', () => {
  const progress = startProgress({}, stream(true))

  progress.update('5 of 10 records', 5, 10)
  vi.advanceTimersByTime(100)
  expect(written).toBe('\r\x1b[2K[############............] 50% 5 of 10 records')
  vi.advanceTimersByTime(1_000)
  expect(written.match(/50%/g)).toHaveLength(1)
  progress.stop()

  expect(written.endsWith('\r\x1b[2K')).toBe(true)
})

it('does not wrap on a narrow terminal, and shows no escape of its subject', () => {
  const progress = startProgress({}, stream(true))

  progress.update(`topic "\x1b[31m${'x'.repeat(100)}"`)
  vi.advanceTimersByTime(100)
  progress.stop()

  expect(written.split('\r\x1b[2K')[1]).toHaveLength(59)
  expect(written).toContain('\\x1b[31m')
})

it('is one line every 10 s otherwise', () => {
  const progress = startProgress({}, stream(false))

  progress.update('5 of 10 records', 5, 10)
  vi.advanceTimersByTime(9_999)
  expect(written).toBe('')
  vi.advanceTimersByTime(1)
  progress.update('6 of 10 records', 6, 10)
  vi.advanceTimersByTime(10_000)
  progress.stop()
  vi.advanceTimersByTime(60_000)

  expect(written).toBe('50% 5 of 10 records\n60% 6 of 10 records\n')
})

it('is nothing when quiet', () => {
  const progress = startProgress({quiet: true}, stream(true))

  progress.update('5 of 10 records', 5, 10)
  vi.advanceTimersByTime(60_000)
  progress.stop()

  expect(written).toBe('')
})

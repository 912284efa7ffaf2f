import {expect, it} from 'vitest'

import {formatDuration, parseDuration} from '../../src/lib/duration.js'

it.each([
  ['500ms', 500],
  ['30s', 30_000],
  ['1.5m', 90_000],
  ['2h', 7_200_000],
  ['7d', 604_800_000],
  ['1h30m', 5_400_000],
])('%s is %i ms', (text, ms) => expect(parseDuration(text)).toBe(ms))

it.each(['', '30', 's', '-5s', '5 s', '5x', '1h 30m', 'xs5s'])('"%s" is not a duration', (text) => {
  expect(() => parseDuration(text)).toThrow(expect.objectContaining({exitCode: 2, hint: expect.stringContaining('30s')}))
})

it('shows a span in its two largest units', () => {
  expect([0, 340, 12_000, 725_999, 7_200_000, 90_000_000, 172_805_000].map(formatDuration)).toEqual([
    ...['0s', '340ms', '12s', '12m 5s', '2h', '1d 1h', '2d'],
  ])
})

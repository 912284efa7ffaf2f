import {describe, expect, it} from 'vitest'

import {parsePosition} from '../../../../src/lib/kafka/consume/range.js'

const NOW = Date.UTC(2026, 10, 20, 12)

describe('a place in a topic', () => {
  it.each([
    ['beginning', {kind: 'beginning'}],
    ['end', {kind: 'end'}],
    ['0', {kind: 'offset', offset: 0}],
    ['20261120', {kind: 'offset', offset: 20_261_120}],
    ['-100', {kind: 'last', count: 100}],
    ['+100', {kind: 'plus', count: 100}],
    ['-15m', {kind: 'time', timestamp: NOW - 900_000}],
    ['-1h30m', {kind: 'time', timestamp: NOW - 5_400_000}],
    ['-500ms', {kind: 'time', timestamp: NOW - 500}],
    ['2026-11-20', {kind: 'time', timestamp: Date.UTC(2026, 10, 20)}],
    ['2026-11-20T10:00', {kind: 'time', timestamp: Date.UTC(2026, 10, 20, 10)}],
    ['2026-11-20T10:00:05.123', {kind: 'time', timestamp: Date.UTC(2026, 10, 20, 10, 0, 5, 123)}],
    ['2026-11-20T10:00Z', {kind: 'time', timestamp: Date.UTC(2026, 10, 20, 10)}],
    ['2026-11-20T10:00+02:00', {kind: 'time', timestamp: Date.UTC(2026, 10, 20, 8)}],
    ['2026-11-20T10:00-0130', {kind: 'time', timestamp: Date.UTC(2026, 10, 20, 11, 30)}],
    ['2028-02-29', {kind: 'time', timestamp: Date.UTC(2028, 1, 29)}],
  ])('%s', (text, position) => {
    expect(parsePosition(text, NOW)).toEqual(position)
  })

  it.each([
    '',
    'latest',
    '-',
    '--1',
    '1.5',
    '15m',
    '-m',
    '2026-13-01',
    '2026-02-30',
    '2026-11-20T25:00',
    '20-11-2026',
    '2026-11-20 10:00',
    '+',
    '+15m',
  ])('%j is none', (text) => {
    expect(() => parsePosition(text, NOW)).toThrow(expect.objectContaining({code: 'USAGE', exitCode: 2}))
  })
})

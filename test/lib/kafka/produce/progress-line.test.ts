import {expect, it} from 'vitest'

import {progressLine} from '../../../../src/lib/kafka/produce/progress-line.js'

const state = {
  read: 5_000,
  acked: 4_000,
  rejected: 0,
  unknown: 0,
  unsent: 1_000,
  bytesRead: 5_000_000,
  totalBytes: 20_000_000,
  elapsedMs: 2_000,
  throttledMs: 0,
}

it('tells what is acknowledged, how fast it is read and how long it will last', () => {
  expect(progressLine(state)).toBe('4000 acked, 2.5 MB/s, 6 s left')
})

it('tells for how long the brokers held back answers', () => {
  expect(progressLine({...state, throttledMs: 1_240})).toBe('4000 acked, 2.5 MB/s, throttled 1.2 s, 6 s left')
})

it('promises no end where the input has no size', () => {
  expect(progressLine({...state, totalBytes: null})).toBe('4000 acked, 2.5 MB/s')
})

it('promises no end before anything is read', () => {
  expect(progressLine({...state, acked: 0, bytesRead: 0})).toBe('0 acked, 0.0 MB/s')
})

import {createRequire} from 'node:module'

import {describe, expect, it} from 'vitest'

import {internals, KAFKAJS_VERSION, kafkajsVersion} from '../../../../src/lib/kafka/overrides/override.js'
import {installRequestQueueTimer} from '../../../../src/lib/kafka/overrides/request-queue-timer.js'

describe('an override of kafkajs', () => {
  it('finds the version that was read', () => {
    expect(kafkajsVersion()).toBe(KAFKAJS_VERSION)
    expect(installRequestQueueTimer()).toBe(true)
  })

  it('touches no file that is not the one that was read', () => {
    expect(internals('src/network/requestQueue/index.js', '0'.repeat(64))).toBeNull()
  })
})

describe('the request queue', () => {
  it('arms its timer only while requests wait, for as long as they are throttled', () => {
    installRequestQueueTimer()
    const RequestQueue = createRequire(import.meta.url)('kafkajs/src/network/requestQueue/index.js')
    const queue = new RequestQueue({logger: {debug() {}}, requestTimeout: 1_000, clientId: '', broker: ''})

    queue.scheduleCheckPendingRequests()
    expect(queue.throttleCheckTimeoutId).toBeNull()

    queue.throttledUntil = Date.now() + 60_000
    queue.pending.push({})
    queue.scheduleCheckPendingRequests()
    expect(queue.throttleCheckTimeoutId._idleTimeout).toBeGreaterThan(50_000)
    queue.destroy()
  })
})

import {internals} from './override.js'

const FILE = 'src/network/requestQueue/index.js'
const SHA256 = 'b55986089c14f8f7bfc377922e2e65b3e4c1e7c7af2752d3b10a75dfe9e9260c'

/** kafkajs' own interval for looking at requests that wait for a free slot. */
const CHECK_PENDING_MS = 10

/**
 * Stock kafkajs re-arms a timer of about 1 ms per connection for ever, 2 % of a core when idle, with negative delays that
 * Node 24 warns about (tulios/kafkajs#1556, #1704, #1751). This one is armed only while requests wait or are throttled.
 * Returns false when kafkajs is not the file that was read; then nothing is changed.
 */
export function installRequestQueueTimer(): boolean {
  const RequestQueue = internals(FILE, SHA256)
  if (RequestQueue === null) return false
  RequestQueue.prototype.scheduleCheckPendingRequests = scheduleCheckPendingRequests
  return true
}

type Queue = {
  throttledUntil: number
  throttleCheckTimeoutId: NodeJS.Timeout | null
  pending: unknown[]
  checkPendingRequests(): void
}

function scheduleCheckPendingRequests(this: Queue): void {
  if (this.throttleCheckTimeoutId || this.pending.length === 0) return
  const throttledMs = this.throttledUntil - Date.now()
  this.throttleCheckTimeoutId = setTimeout(
    () => {
      this.throttleCheckTimeoutId = null
      this.checkPendingRequests()
    },
    throttledMs > 0 ? throttledMs : CHECK_PENDING_MS,
  )
}

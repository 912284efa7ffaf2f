/** Where frames are made; kept from one to the next while it is no larger, so that a load makes no garbage of their size. */
let scratch = Buffer.allocUnsafeSlow(0)
const KEPT_BYTES = 2 * 1024 * 1024

/** So many bytes at least, which are the caller's until the next call. */
export function scratchOf(bytes: number): Buffer {
  if (bytes > KEPT_BYTES) return Buffer.allocUnsafeSlow(bytes)
  if (scratch.length < bytes) scratch = Buffer.allocUnsafeSlow(bytes)
  return scratch
}

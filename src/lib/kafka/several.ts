import {SkkError} from '../errors.js'

/** How one of several things fared. */
export type Settled = {name: string; status: string; error?: SkkError}

/**
 * What the whole run fails with: nothing when all went well, the first failure when all failed, exit 7 when some did. What
 * failed has been reported one by one before.
 */
export function failureOf(results: readonly Settled[], noun: string): SkkError | null {
  const failed = results.filter(({error}) => error !== undefined)
  if (failed.length === 0) return null
  if (failed.length === results.length) return failed[0]!.error!
  return new SkkError(`${failed.length} of ${results.length} ${noun} failed: ${failed.map(({name}) => `"${name}"`).join(', ')}`, {
    code: 'PARTIAL',
    exit: 'partial',
    hint: 'What succeeded is done; run the command again with the others when their cause is gone.',
    retryable: failed.some(({error}) => error?.retryable),
    cause: failed[0]!.error,
  })
}

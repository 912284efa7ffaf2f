import type {Mapping} from '../aws/mapping.js'
import {SkkError} from '../errors.js'
import type {World} from './attach.js'
import {changeAll} from './change.js'
import {labelOf} from './plan.js'

/** How long turning a mapping on again is tried, whatever was said about retries. */
const RESUME_MS = 5 * 60_000

export type Pause = {
  label: string
  uuid: string
  /** Returns when the mapping is off. Throws SkkError. */
  pause(): Promise<void>
  /** Returns when it is on, at once when it was never turned off. Throws SkkError. */
  resume(): Promise<void>
}

/** Turns a mapping off and on; `wait` returns when it is so, or rejects. */
export function pauseOf(world: World, mapping: Mapping, wait: (until: 'disabled' | 'enabled') => Promise<void>): Pause {
  let turning: Promise<unknown> = Promise.resolve()
  let isOff = false
  const turn = async (own: World, enabled: boolean): Promise<void> => {
    const changing = changeAll(own, [mapping], {enabled})
    turning = changing
    const [changed] = await changing
    if (changed?.error) throw changed.error
  }
  return {
    label: labelOf(mapping),
    uuid: mapping.uuid,
    async pause() {
      isOff = true
      await turn(world, false).catch((error: SkkError) => {
        // An answer that was lost may have been a yes.
        isOff = error.retryable
        throw error
      })
      await wait('disabled')
    },
    async resume() {
      // One that overtakes the other would leave the mapping off.
      await turning
      if (!isOff) return
      const {conduct} = world
      await turn({...world, conduct: {...conduct, retry: true, deadline: conduct.clock.now() + RESUME_MS}}, true)
      isOff = false
      await wait('enabled')
    },
  }
}

/**
 * What `work` returns, done while a mapping is off. Whatever fails, the mapping is resumed and the failure thrown; where that fails
 * too, an SkkError (partial) says plainly that the mapping is off, and how to turn it on.
 */
export async function whilePaused<T>({pause, resume, label, uuid}: Pause, work: () => Promise<T>): Promise<T> {
  const done = await pause()
    .then(work)
    .then(
      (result) => ({result}),
      (failure: Error) => ({failure}),
    )
  try {
    await resume()
  } catch (cause) {
    const before = 'failure' in done ? `${done.failure.message}; and` : 'the offset is committed, but'
    const resuming = `skk esm resume ${uuid} --retry`
    throw new SkkError(`${before} mapping "${label}" is paused, for it could not be resumed: ${(cause as Error).message}`, {
      code: 'MAPPING_PAUSED',
      exit: 'partial',
      hint: `Run \`${resuming}\`; until then the function gets nothing.`,
      resume: resuming,
      cause,
    })
  }
  if ('failure' in done) throw done.failure
  return done.result
}

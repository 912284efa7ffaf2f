import {SkkError} from '../../errors.js'
import type {Cluster} from '../cluster.js'
import {findGroup} from '../groups.js'

export type Patience = {
  /** Milliseconds, of the same clock as `deadline`. */
  now(): number
  sleep(ms: number): Promise<unknown>
  deadline: number
  tickMs: number
  /** Told before each wait. */
  onMembers?: (members: number) => void
}

/** Returns when nobody is in the group, or it does not exist. Throws SkkError (pending) at the deadline, naming who is in it. */
export async function untilEmpty(cluster: Cluster, name: string, patience: Patience): Promise<void> {
  for (;;) {
    const group = await findGroup(cluster, name)
    if (!group || (group.members.length === 0 && group.state === 'Empty')) return
    if (patience.now() + patience.tickMs > patience.deadline) {
      const who = group.members.map(({clientId, host}) => `"${clientId}" on ${host}`).join(', ')
      throw new SkkError(`group "${name}" is still ${group.state}${who && ` with ${who}`}`, {
        code: 'PENDING',
        exit: 'pending',
        retryable: true,
        hint: `See with \`skk groups describe ${name}\` who is in it; wait longer with \`--timeout\`.`,
      })
    }
    patience.onMembers?.(group.members.length)
    await patience.sleep(patience.tickMs)
  }
}

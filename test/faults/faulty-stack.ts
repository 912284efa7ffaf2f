import {mkdtemp, rm} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {type Local, type LocalOptions, startLocal} from '../../src/lib/local/index.js'
import {readFaultRule} from '../../src/lib/local/kafka/fault-rule.js'
import type {Fault} from '../../src/lib/local/kafka/faults.js'
import {type ChaosProxy, chaosProxy} from '../support/chaos-proxy.js'

const NODES = 3

/** Three brokers that clients reach only through a proxy each. */
export type FaultyStack = {
  local: Local
  /** By node id; that of the plaintext listener. */
  proxies: Map<number, ChaosProxy>
  /** A rule as `skk local faults add` takes it. */
  fault(rule: Record<string, unknown>): Fault
  /** How many requests those faults have happened to that are over. */
  hits(): number
  /** All is well again. */
  heal(): Promise<void>
  stop(): Promise<void>
}

export async function faultyStack(options: Partial<LocalOptions> = {}): Promise<FaultyStack> {
  const directory = await mkdtemp(join(tmpdir(), 'skk-faults-'))
  const all: ChaosProxy[] = []
  const proxies = new Map<number, ChaosProxy>()
  const local = await startLocal({
    dataDir: join(directory, 'local'),
    brokers: NODES,
    plaintextPort: {wanted: 0, mayMove: true},
    createDelayMs: 10,
    advertise: async ({port, nodeId, security}) => {
      const proxy = await chaosProxy(port)
      all.push(proxy)
      if (security === 'plaintext') proxies.set(nodeId, proxy)
      return {host: '127.0.0.1', port: proxy.port}
    },
    ...options,
  })
  const dead = new Set<number>()
  let hits = 0
  // A node that comes while it still goes would find its own port taken.
  let turn: Promise<void> = Promise.resolve()
  const inTurn = (change: () => Promise<void>): Promise<void> => {
    turn = turn.then(change)
    return turn
  }
  const reviveNode = (nodeId: number): Promise<void> =>
    inTurn(async () => {
      if (dead.delete(nodeId)) await local.reviveNode(nodeId)
    })
  return {
    local: {
      ...local,
      reviveNode,
      killNode: (nodeId) =>
        inTurn(async () => {
          if (!dead.has(nodeId)) await local.killNode(nodeId)
          dead.add(nodeId)
        }),
    },
    proxies,
    fault: (rule) => local.faults.add(readFaultRule(rule)),
    hits: () => hits,
    async heal() {
      for (const fault of local.faults.clear()) hits += fault.hits
      for (const proxy of all) proxy.clear()
      await turn
      for (const nodeId of dead) await reviveNode(nodeId)
    },
    async stop() {
      for (const proxy of all) await proxy.close()
      await local.stop()
      await rm(directory, {recursive: true, force: true})
    },
  }
}

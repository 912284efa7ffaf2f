import {seededRandom} from '../../seeded-random.js'
import type {Call} from './api/api.js'
import {namesOf} from './request-names.js'

export const FAULT_ACTIONS = ['drop', 'close', 'delay', 'error', 'throttle'] as const
export const FAULT_MOMENTS = ['before', 'after'] as const

/** What goes wrong, with which requests, and how often. */
export type FaultRule = {
  /** Kafka's key of an API; undefined is every one. */
  api?: number
  topic?: string
  partition?: number
  /** The node that is asked. */
  node?: number
  /**
   * `drop`: no answer comes, and nothing more on that connection. `close`: the connection ends instead. `error`: the answer is
   * `errorCode`. `delay`: the answer takes `ms` longer. `throttle`: it asks the client to be quiet for `ms`, as a quota does.
   */
  action: (typeof FAULT_ACTIONS)[number]
  /** Whether it happens before the request is carried out, which is then not done at all (delayed, with `delay`), or after. */
  when: (typeof FAULT_MOMENTS)[number]
  errorCode?: number
  ms?: number
  /** How many requests pass before the first. */
  skip?: number
  /** How many times at most; undefined is for ever. */
  times?: number
  /** Of each request that it could happen to, drawn from `seed`. */
  probability?: number
  seed?: number
}

export type Fault = FaultRule & {
  id: number
  /** How many requests it could have happened to. */
  seen: number
  /** How many it happened to. */
  hits: number
}

type Owned = {fault: Fault; random: () => number}

/** The faults of a stack: which there are, and whose turn it is. */
export class Faults {
  readonly #faults = new Map<number, Owned>()
  #lastId = 0

  /** False costs a request nothing. */
  get any(): boolean {
    return this.#faults.size > 0
  }

  add(rule: FaultRule): Fault {
    const fault = {...rule, id: ++this.#lastId, seen: 0, hits: 0}
    this.#faults.set(fault.id, {fault, random: seededRandom(rule.seed ?? 0)})
    return {...fault}
  }

  list(): Fault[] {
    return [...this.#faults.values()].map(({fault}) => ({...fault}))
  }

  /** Removes one, or all; returns those removed. */
  clear(id?: number): Fault[] {
    const removed = this.list().filter((fault) => id === undefined || fault.id === id)
    for (const fault of removed) this.#faults.delete(fault.id)
    return removed
  }

  /** The fault that happens to this request: the first of those added whose turn it is. */
  next(api: number, request: object, {broker, connection}: Call): Fault | undefined {
    let names: ReturnType<typeof namesOf> | undefined
    for (const owned of this.#faults.values()) {
      const {fault} = owned
      if (fault.api !== undefined && fault.api !== api) continue
      if (fault.node !== undefined && fault.node !== connection.listener.nodeId) continue
      if (fault.topic !== undefined || fault.partition !== undefined) {
        names ??= namesOf(request, broker)
        if (!names.some((name) => isNamed(fault, name))) continue
      }
      if (isTurnOf(owned)) return fault
    }
    return undefined
  }
}

/** Whether a rule is about that partition; a request that names only topics has partition undefined. */
export const isNamed = (
  {topic, partition}: FaultRule,
  name: {topic: string | undefined; partition: number | undefined},
): boolean => (topic === undefined || topic === name.topic) && (partition === undefined || partition === name.partition)

function isTurnOf({fault, random}: Owned): boolean {
  if (fault.times !== undefined && fault.hits >= fault.times) return false
  fault.seen += 1
  if (fault.seen <= (fault.skip ?? 0)) return false
  if (fault.probability !== undefined && random() >= fault.probability) return false
  fault.hits += 1
  return true
}

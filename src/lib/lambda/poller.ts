import type {Poller, PollerOptions} from './mapping.js'

export type {
  Clock,
  Committer,
  Destination,
  GivenUp,
  Invocation,
  Invoker,
  MappingRules,
  Poller,
  PollerEvent,
  PollerOptions,
  RecordSource,
} from './mapping.js'

export declare function createPoller(options: PollerOptions): Poller

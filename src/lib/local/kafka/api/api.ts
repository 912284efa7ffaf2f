import type {KafkaAction} from '../authorize.js'
import type {Broker} from '../broker.js'
import type {Connection} from '../connection.js'

/** What a handler knows about the request besides its body. */
export type Call = {
  version: number
  clientId: string | null
  broker: Broker
  connection: Connection
  /** Whether the connection's principal may do `action` on the resource with that ARN. A denial is logged. */
  allows(action: KafkaAction, resource: string): boolean
  /** The same for a list that leaves out what the principal may not see: that is no denial. */
  maySee(action: KafkaAction, resource: string): boolean
}

/**
 * One Kafka API: which versions are implemented, and how it is answered. What a cluster advertises is a subset (profiles.ts).
 * A handler that returns null sends no response at all, which Kafka does for Produce with acks=0 only.
 */
export type Api<Request = any, Response extends object = object> = {
  key: number
  versions: readonly [min: number, max: number]
  handle(request: Request, call: Call): Response | null | Promise<Response | null>
}

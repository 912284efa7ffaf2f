import type {Principal} from './authorize.js'
import type {Holder} from './memory.js'

/** An address that a node of a cluster listens on. Metadata answers with the addresses of the asking listener's kind. */
export type Listener = {
  security: 'iam' | 'plaintext'
  nodeId: number
  host: string
  port: number
  /** What Metadata says instead, where something stands in front of the node. */
  advertised?: {host: string; port: number}
  tls?: {key: string; cert: string}
}

/** One client connection. On an `iam` listener it has a principal only after SASL. */
export type Connection = {
  listener: Listener
  principal: Principal | undefined
  /** Chosen by SaslHandshake, used by SaslAuthenticate. */
  mechanism: string | undefined
  /** Epoch milliseconds; a request after it closes the connection unless it re-authenticates. */
  expiresAt: number
  /** SaslHandshake v0: the next frame is a bare token without a Kafka header. */
  expectsBareToken: boolean
  /** Login was refused: the connection closes once that is answered, as Kafka's does. */
  refused: boolean
  remoteAddress: string
  /** Aborts when the socket closes, so that a waiting fetch ends with it. */
  closed: AbortSignal
  /** For its request and response; given back when that is sent. */
  memory: Holder
}

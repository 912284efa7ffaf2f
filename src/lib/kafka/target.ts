/** AWS credentials as the SDK's providers return them. */
export type Credentials = {accessKeyId: string; secretAccessKey: string; sessionToken?: string; expiration?: Date}

/** A cluster and the way to it, ready to be connected to. */
export type KafkaTarget = {
  /** `host:port`, or `[address]:port` for IPv6. */
  bootstrap: string[]
  auth: 'iam' | 'none'
  tls: boolean
  /** File of PEM certificates to trust instead of the system's. */
  ca?: string
  region?: string
  /** Known only when the cluster is MSK's; names the resource in a denial. */
  clusterArn?: string
  /** `socks5://HOST:PORT` or `tcp:HOST:PORT`. */
  via?: string
  credentials: () => Promise<Credentials>
  /** Whose credentials were used last; undefined before the first login. Names the principal in a denial. */
  accessKeyId?: () => string | undefined
  /** How long one command may wait for an answer of the cluster. */
  timeoutMs: number
  /** The context, cluster or addresses that were chosen, for messages. */
  describe: string
}

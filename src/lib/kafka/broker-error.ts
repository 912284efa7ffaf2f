/** Kafka's error codes by number, https://kafka.apache.org/protocol#protocol_error_codes. A trailing `*` means: worth another try. */
const NAMES: Readonly<Record<number, string>> = {
  [-1]: 'UNKNOWN_SERVER_ERROR',
  1: 'OFFSET_OUT_OF_RANGE',
  2: 'CORRUPT_MESSAGE*',
  3: 'UNKNOWN_TOPIC_OR_PARTITION*',
  4: 'INVALID_FETCH_SIZE',
  5: 'LEADER_NOT_AVAILABLE*',
  6: 'NOT_LEADER_OR_FOLLOWER*',
  7: 'REQUEST_TIMED_OUT*',
  8: 'BROKER_NOT_AVAILABLE*',
  9: 'REPLICA_NOT_AVAILABLE*',
  10: 'MESSAGE_TOO_LARGE',
  12: 'OFFSET_METADATA_TOO_LARGE',
  13: 'NETWORK_EXCEPTION*',
  14: 'COORDINATOR_LOAD_IN_PROGRESS*',
  15: 'COORDINATOR_NOT_AVAILABLE*',
  16: 'NOT_COORDINATOR*',
  17: 'INVALID_TOPIC_EXCEPTION',
  18: 'RECORD_LIST_TOO_LARGE',
  19: 'NOT_ENOUGH_REPLICAS*',
  20: 'NOT_ENOUGH_REPLICAS_AFTER_APPEND*',
  21: 'INVALID_REQUIRED_ACKS',
  22: 'ILLEGAL_GENERATION',
  24: 'INVALID_GROUP_ID',
  25: 'UNKNOWN_MEMBER_ID',
  27: 'REBALANCE_IN_PROGRESS',
  29: 'TOPIC_AUTHORIZATION_FAILED',
  30: 'GROUP_AUTHORIZATION_FAILED',
  31: 'CLUSTER_AUTHORIZATION_FAILED',
  32: 'INVALID_TIMESTAMP',
  33: 'UNSUPPORTED_SASL_MECHANISM',
  34: 'ILLEGAL_SASL_STATE',
  35: 'UNSUPPORTED_VERSION',
  36: 'TOPIC_ALREADY_EXISTS',
  37: 'INVALID_PARTITIONS',
  38: 'INVALID_REPLICATION_FACTOR',
  39: 'INVALID_REPLICA_ASSIGNMENT',
  40: 'INVALID_CONFIG',
  41: 'NOT_CONTROLLER*',
  42: 'INVALID_REQUEST',
  43: 'UNSUPPORTED_FOR_MESSAGE_FORMAT',
  44: 'POLICY_VIOLATION',
  45: 'OUT_OF_ORDER_SEQUENCE_NUMBER',
  46: 'DUPLICATE_SEQUENCE_NUMBER',
  47: 'INVALID_PRODUCER_EPOCH',
  48: 'INVALID_TXN_STATE',
  51: 'CONCURRENT_TRANSACTIONS*',
  53: 'TRANSACTIONAL_ID_AUTHORIZATION_FAILED',
  54: 'SECURITY_DISABLED',
  56: 'KAFKA_STORAGE_ERROR*',
  58: 'SASL_AUTHENTICATION_FAILED',
  59: 'UNKNOWN_PRODUCER_ID',
  60: 'REASSIGNMENT_IN_PROGRESS',
  68: 'NON_EMPTY_GROUP',
  69: 'GROUP_ID_NOT_FOUND',
  73: 'TOPIC_DELETION_DISABLED',
  74: 'FENCED_LEADER_EPOCH*',
  75: 'UNKNOWN_LEADER_EPOCH*',
  76: 'UNSUPPORTED_COMPRESSION_TYPE',
  78: 'OFFSET_NOT_AVAILABLE*',
  81: 'GROUP_MAX_SIZE_REACHED',
  86: 'GROUP_SUBSCRIBED_TO_TOPIC',
  87: 'INVALID_RECORD',
  88: 'UNSTABLE_OFFSET_COMMIT*',
  // MSK Serverless sends it for its partition quota; kafkajs 2.2.4 does not know it.
  89: 'THROTTLING_QUOTA_EXCEEDED*',
  100: 'UNKNOWN_TOPIC_ID*',
}

/** What an error answer was about: the name of the Kafka API, and the topic, partition or group. */
export type Subject = {api: string; topic?: string; partition?: number; group?: string}

/** The answer of a broker that is an error code. Not for users: `explain` of errors.ts turns it into a SkkError. */
export class BrokerError extends Error {
  override readonly name = 'BrokerError'
  readonly code: number
  /** Kafka's name of the code, such as `TOPIC_ALREADY_EXISTS`. */
  readonly type: string
  readonly retriable: boolean
  readonly subject: Subject
  /** The broker's own sentence, where the API carries one. */
  readonly text: string | null

  constructor(code: number, subject: Subject, text: string | null = null) {
    const name = NAMES[code] ?? `ERROR_${code}`
    const type = name.replace('*', '')
    super(text ? `${type}: ${text}` : type)
    this.code = code
    this.type = type
    this.retriable = name.endsWith('*')
    this.subject = subject
    this.text = text
  }
}

/** Throws BrokerError when `code` is one. */
export function check(code: number, subject: Subject, text: string | null = null): void {
  if (code !== 0) throw new BrokerError(code, subject, text)
}

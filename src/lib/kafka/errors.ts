import {type Failure, SkkError} from '../errors.js'
import {nearest} from '../nearest.js'
import {BrokerError, type Subject} from './broker-error.js'
import {denied} from './denial.js'
import type {Attempt} from './socket.js'
import type {KafkaTarget} from './target.js'
import {unreachable} from './unreachable.js'

/** The names of `target` that an explanation needs. */
export type Named = Pick<KafkaTarget, 'describe' | 'auth' | 'region' | 'clusterArn' | 'tls' | 'via' | 'accessKeyId'>

type KafkaJSError = Error & {type?: string; code?: number | string; retriable?: boolean; apiName?: string}

/**
 * Any failure of kafkajs, of our own requests or of the network as what a user can act on. `attempts` are the last
 * connections, newest last; they tell the layer. An error that is none of these (a bug) is returned as it is.
 */
export function explain(error: unknown, target: Named, attempts: readonly Attempt[] = []): unknown {
  const chain = causes(error)
  const known = chain.find((cause) => cause instanceof SkkError)
  if (known) return known

  const answer = chain.find((cause) => cause instanceof BrokerError) ?? protocolError(chain)
  if (answer) return explainAnswer(answer, target)

  const unsupported = chain.find(({name}) => name === 'KafkaJSServerDoesNotSupportApiKey') as KafkaJSError | undefined
  if (unsupported) {
    return new SkkError(`the brokers of "${target.describe}" do not know ${unsupported.apiName ?? 'this request'}`, {
      code: 'UNSUPPORTED',
      exit: 'unavailable',
      retryable: false,
      cause: error,
    })
  }
  if (chain.some((cause) => cause instanceof RangeError)) {
    return new SkkError(`"${target.describe}" gave an answer that is not Kafka's`, {
      code: 'BAD_ANSWER',
      exit: 'unavailable',
      retryable: false,
      cause: error,
    })
  }
  if (isNetworkFailure(chain)) return unreachable(chain, target, attempts)
  const foreign = chain.find(({name}) => name.startsWith('KafkaJS'))
  if (!foreign) return error
  return new SkkError(lowerFirst(foreign.message), {code: 'CLIENT_FAILED', exit: 'unavailable', cause: error})
}

/** The same for a failure that is reported beside others; a bug still throws. */
export function asSkkError(error: unknown, target: Named, attempts: readonly Attempt[] = []): SkkError {
  const explained = explain(error, target, attempts)
  if (explained instanceof SkkError) return explained
  throw error
}

/** An answer that is an error code, by its code. */
function explainAnswer(answer: BrokerError, target: Named): SkkError {
  const {code, type, subject} = answer
  if (code === 3 && subject.topic !== undefined)
    return topicNotFound(subject.topic, [], {cause: answer, unwanted: subject.api === 'DeleteTopics'})
  if ([29, 30, 31, 53, 33, 34, 54, 58].includes(code)) return denied(answer, target)

  if (code === 36) return alreadyExists(subject.topic ?? '', answer)
  const outcome = OUTCOMES[code] ?? {code: type, exit: 'unavailable'}
  const about = subjectText(subject)
  const reason = answer.text ?? SENTENCES[code] ?? type.toLowerCase().replaceAll('_', ' ')
  const {hint} = outcome
  return new SkkError(`${about}${lowerFirst(reason).replace(/\.$/, '')}`, {
    code: outcome.code,
    exit: outcome.exit,
    ...(hint && {hint}),
    retryable: answer.retriable,
    cause: answer,
  })
}

/** Exit 3 with the nearest of the names that do exist; `unwanted` is a topic that nobody would create now. */
export function topicNotFound(
  topic: string,
  existing: readonly string[],
  {cause, unwanted = false}: {cause?: unknown; unwanted?: boolean} = {},
): SkkError {
  const meant = nearest(topic, existing)
  const others = unwanted
    ? 'See what exists with `skk topics list`.'
    : `Create it with \`skk topics create ${topic}\`, or see what exists with \`skk topics list\`.`
  return new SkkError(`topic "${topic}" does not exist`, {
    code: 'TOPIC_NOT_FOUND',
    exit: 'notFound',
    hint: meant ? `Did you mean "${meant}"? See all with \`skk topics list\`.` : others,
    cause,
  })
}

/** Exit 3 for partitions that a topic of so many does not have. */
export const partitionNotFound = (topic: string, missing: readonly number[], count: number): SkkError =>
  new SkkError(`topic "${topic}" has no partition ${missing.join(', ')}; it has ${count}`, {
    code: 'PARTITION_NOT_FOUND',
    exit: 'notFound',
    hint: `See them with \`skk topics describe ${topic}\`.`,
  })

const alreadyExists = (topic: string, cause: BrokerError): SkkError =>
  new SkkError(`topic "${topic}" already exists`, {
    code: 'TOPIC_ALREADY_EXISTS',
    exit: 'conflict',
    hint: 'Add `--if-not-exists` if that is fine.',
    cause,
  })

const OUTCOMES: Readonly<Record<number, {code: string; exit: Failure; hint?: string}>> = {
  1: {code: 'OFFSET_OUT_OF_RANGE', exit: 'localIo', hint: 'Start with `--from beginning` to read what is still there.'},
  2: {code: 'CORRUPT_MESSAGE', exit: 'localIo'},
  3: {code: 'TOPIC_NOT_FOUND', exit: 'notFound', hint: 'See what exists with `skk topics list`.'},
  10: {
    code: 'MESSAGE_TOO_LARGE',
    exit: 'localIo',
    hint: 'Raise the limit with `skk topics alter TOPIC --config max.message.bytes=8388608`.',
  },
  17: {code: 'INVALID_TOPIC', exit: 'usage'},
  24: {code: 'INVALID_GROUP', exit: 'usage'},
  25: {code: 'GROUP_IN_USE', exit: 'conflict'},
  37: {code: 'INVALID_PARTITIONS', exit: 'usage'},
  38: {
    code: 'INVALID_REPLICATION_FACTOR',
    exit: 'usage',
    hint: 'Leave out `--replication-factor`; on MSK Serverless it is always 3.',
  },
  39: {code: 'INVALID_REPLICA_ASSIGNMENT', exit: 'usage'},
  40: {code: 'INVALID_CONFIG', exit: 'usage'},
  42: {code: 'INVALID_REQUEST', exit: 'usage'},
  44: {code: 'POLICY_VIOLATION', exit: 'usage'},
  68: {code: 'GROUP_NOT_EMPTY', exit: 'conflict'},
  69: {code: 'GROUP_NOT_FOUND', exit: 'notFound'},
  73: {code: 'TOPIC_DELETION_DISABLED', exit: 'denied'},
  86: {code: 'GROUP_SUBSCRIBED', exit: 'conflict'},
  89: {
    code: 'THROTTLED',
    exit: 'unavailable',
    hint: 'Wait a few minutes: MSK Serverless allows 250 partitions to be created or deleted in five.',
  },
}

const SENTENCES: Readonly<Record<number, string>> = {
  1: 'the offset is outside of what the partition still holds',
  10: 'the record is larger than the topic allows',
  17: 'the name is not one that Kafka allows: up to 249 letters, digits, dots, dashes and underscores',
  38: 'the replication factor is not one that the cluster allows',
  89: 'the cluster asks to slow down',
}

function subjectText({topic, partition, group}: Subject): string {
  if (topic !== undefined) return `topic "${topic}"${partition === undefined ? '' : `, partition ${partition}`}: `
  return group === undefined ? '' : `group "${group}": `
}

/** kafkajs' own form of an error code in an answer. */
function protocolError(chain: readonly KafkaJSError[]): BrokerError | undefined {
  const found = chain.find(({type, code}) => type !== undefined && typeof code === 'number')
  if (!found) return undefined
  return new BrokerError(found.code as number, {api: ''}, found.code === 58 ? found.message : null)
}

/** The error and what caused it, outermost first. */
function causes(error: unknown): KafkaJSError[] {
  const chain: KafkaJSError[] = []
  for (let next = error; next instanceof Error && chain.length < 10; next = next.cause) chain.push(next)
  return chain
}

const ABOUT_CONNECTIONS =
  /^KafkaJS(ConnectionError|ConnectionClosedError|RequestTimeoutError|NumberOfRetriesExceeded|LockTimeout|BrokerNotFound|NoBrokerAvailableError)$/

const isNetworkFailure = (chain: readonly KafkaJSError[]): boolean =>
  chain.some(
    ({name, code}) => ABOUT_CONNECTIONS.test(name) || /^(E[A-Z]+|ERR_(SSL|TLS)_.*|[A-Z_]*CERT[A-Z_]*)$/.test(String(code)),
  )

const lowerFirst = (text: string): string => (/^[A-Z][a-z]/.test(text) ? text.charAt(0).toLowerCase() + text.slice(1) : text)

import {REPLICATION_FACTOR} from '../../../limits.js'
import type {Broker, Topic} from '../broker.js'
import type {CreateTopicsRequest, CreateTopicsResponse} from '../messages.js'
import {configKeys, partitionQuota, refusal} from '../topic-config.js'
import {inMetrics, isValidTopicName} from '../topic-name.js'
import {describeConfig} from './32-describe-configs.js'
import type {Api, Call} from './api.js'
import {ERROR} from './error-codes.js'
import {once} from './once.js'
import {storageError} from './storage-error.js'

type Wanted = CreateTopicsRequest['topics'][number]
type Result = CreateTopicsResponse['topics'][number]
type Problem = {errorCode: number; errorMessage: string}

/**
 * CreateTopics v0-7.
 *
 * - v1: validate_only
 * - v4: -1 partitions or replicas mean the broker's default (KIP-464); we take them in every version, as MSK does
 * - v5: flexible; answers with what was made
 * - v7: topic ids
 */
export const createTopics: Api<CreateTopicsRequest, CreateTopicsResponse> = {
  key: 19,
  versions: [0, 7],
  handle: ({topics, validateOnly}, call) =>
    call.broker.inOrder(async () => {
      const mentions = new Map<string, number>()
      for (const {name} of topics) mentions.set(name, (mentions.get(name) ?? 0) + 1)
      // Names that metrics cannot tell apart, of this cluster and of what the request has made so far.
      const taken = new Map([...call.broker.topics.keys()].map((name) => [inMetrics(name), name]))
      const results: Result[] = []
      for (const wanted of once(topics, ({name}) => name)) {
        const result = mentions.get(wanted.name) === 1 ? await create(wanted, taken, validateOnly, call) : wantedTwice(wanted)
        if (result.errorCode === ERROR.none) taken.set(inMetrics(result.name), result.name)
        results.push(result)
      }
      return {topics: results}
    }),
}

/** One answer, which is a refusal. */
const wantedTwice = ({name}: Wanted): Result => {
  return {name, errorCode: ERROR.invalidRequest, errorMessage: `Duplicate topic name: ${name}`}
}

async function create(wanted: Wanted, taken: ReadonlyMap<string, string>, validateOnly: boolean, call: Call): Promise<Result> {
  const {broker} = call
  const {name} = wanted
  const problem = problemOf(wanted, taken, call)
  if (problem) return {name, ...problem}
  const config = Object.fromEntries(wanted.configs.flatMap(({name: key, value}) => (value === null ? [] : [[key, value]])))
  const topic = {name, partitions: partitionsOf(wanted), replicationFactor: replicationOf(wanted, broker), config}
  const {partitions: numPartitions, replicationFactor} = topic
  const configs = configsOf({config: new Map(Object.entries(config))}, broker)
  const result = {name, errorCode: ERROR.none, numPartitions, replicationFactor, configs}
  if (validateOnly) return result
  const errorCode = await storageError(broker, () => broker.createTopic(topic))
  return errorCode === ERROR.none ? {...result, topicId: broker.topics.get(name)!.id} : {name, errorCode}
}

function configsOf(topic: Pick<Topic, 'config'>, broker: Broker): NonNullable<Result['configs']> {
  return [...configKeys(broker.serverless).keys()].map((name) => {
    const {value, readOnly, configSource, isSensitive} = describeConfig(broker, topic, name)
    return {name, value, readOnly, configSource, isSensitive}
  })
}

const partitionsOf = ({numPartitions, assignments}: Wanted): number =>
  assignments.length || (numPartitions === -1 ? 1 : numPartitions)

const replicationOf = ({replicationFactor, assignments}: Wanted, {serverless}: Broker): number => {
  if (serverless) return REPLICATION_FACTOR
  return assignments[0]?.brokerIds.length ?? (replicationFactor === -1 ? 1 : replicationFactor)
}

function problemOf(wanted: Wanted, taken: ReadonlyMap<string, string>, {broker, allows}: Call): Problem | undefined {
  const {name, configs} = wanted
  const problem = (errorCode: number, errorMessage: string): Problem => ({errorCode, errorMessage})
  if (!allows('CreateTopic', broker.topicArn(name))) return problem(ERROR.topicAuthorizationFailed, 'Authorization failed.')
  if (!isValidTopicName(name)) return problem(ERROR.invalidTopic, `Topic name is invalid: it must be 1 to 249 of [a-zA-Z0-9._-]`)
  if (broker.topics.has(name)) return problem(ERROR.topicAlreadyExists, `Topic '${name}' already exists.`)
  const other = taken.get(inMetrics(name))
  if (other) return problem(ERROR.invalidTopic, `Topic '${name}' collides with existing topic: ${other}`)
  return sizeProblem(wanted, broker) ?? configProblem(configs, broker)
}

function sizeProblem(wanted: Wanted, broker: Broker): Problem | undefined {
  const {numPartitions, replicationFactor, assignments} = wanted
  const problem = (errorCode: number, errorMessage: string): Problem => ({errorCode, errorMessage})
  const isManual = assignments.length > 0
  if (isManual && (numPartitions !== -1 || replicationFactor !== -1)) {
    return problem(ERROR.invalidRequest, 'Both numPartitions or replicationFactor and replicasAssignments were set.')
  }
  const indexes = new Set(assignments.map(({partitionIndex}) => partitionIndex))
  if (isManual && assignments.some((_, index) => !indexes.has(index))) {
    return problem(ERROR.invalidReplicaAssignment, 'Partitions must be consecutive from 0.')
  }
  if (!isManual && numPartitions !== -1 && numPartitions < 1) {
    return problem(ERROR.invalidPartitions, 'Number of partitions must be larger than 0.')
  }
  // No primary source says which factors MSK Serverless takes; 3 and the default are known to work.
  const isTooMany =
    Math.max(replicationFactor, ...assignments.map(({brokerIds}) => brokerIds.length)) >
    Math.max(REPLICATION_FACTOR, broker.nodeIds.length)
  if (isTooMany)
    return problem(ERROR.invalidReplicationFactor, `Replication factor: ${replicationFactor} larger than available brokers.`)
  const isBadFactor = broker.serverless
    ? ![-1, REPLICATION_FACTOR].includes(replicationFactor)
    : replicationFactor < -1 || replicationFactor === 0
  if (!isManual && isBadFactor)
    return problem(ERROR.invalidReplicationFactor, `Replication factor: ${replicationFactor} is not ${REPLICATION_FACTOR}.`)
  return quotaProblem(wanted, broker)
}

function quotaProblem(wanted: Wanted, broker: Broker): Problem | undefined {
  const compacted = wanted.configs.some(({name, value}) => name === 'cleanup.policy' && value === 'compact')
  const quota = partitionQuota(broker.serverless, compacted)
  if (broker.partitionCount(compacted) + partitionsOf(wanted) <= quota) return undefined
  return {
    errorCode: ERROR.invalidRequest,
    errorMessage: `The cluster's quota is ${quota} ${compacted ? 'compacted ' : ''}partitions.`,
  }
}

function configProblem(configs: Wanted['configs'], broker: Broker): Problem | undefined {
  const reasons = configs.map(({name, value}) => refusal(broker.serverless, name, value, 'create'))
  const reason = reasons.find((text) => text !== undefined)
  return reason === undefined ? undefined : {errorCode: ERROR.invalidConfig, errorMessage: reason}
}

import {SkkError} from '../errors.js'
import type {KAFKA_ACTIONS} from '../limits.js'
import type {BrokerError} from './broker-error.js'
import type {Named} from './errors.js'

type Action = keyof typeof KAFKA_ACTIONS

/** What MSK checks for each Kafka API, where it is not the same for all (aws.md §3.1). */
const ACTIONS: Readonly<Record<string, Action>> = {
  Produce: 'WriteData',
  Fetch: 'ReadData',
  CreateTopics: 'CreateTopic',
  DeleteTopics: 'DeleteTopic',
  CreatePartitions: 'AlterTopic',
  DescribeConfigs: 'DescribeTopicDynamicConfiguration',
  IncrementalAlterConfigs: 'AlterTopicDynamicConfiguration',
  JoinGroup: 'AlterGroup',
  OffsetCommit: 'AlterGroup',
  DeleteGroups: 'DeleteGroup',
  OffsetDelete: 'DeleteGroup',
  InitProducerId: 'WriteDataIdempotently',
}

/** Exit 4: the principal, the action and the resource, as far as the error code, the API and the target tell them. */
export function denied(answer: BrokerError, target: Named): SkkError {
  const key = target.accessKeyId?.()
  const who = key ? `access key "${key}"` : `the credentials for "${target.describe}"`
  if (answer.code === 33 || answer.code === 34) return otherLogin(answer, target)
  if (answer.code === 54 || answer.code === 58) return unauthenticated(answer, who, target)

  const {action, resource} = permission(answer, target)
  return new SkkError(`${who} may not do ${action} on ${resource}`, {
    code: 'ACCESS_DENIED',
    exit: 'denied',
    hint: `Allow ${action} on ${resource} in the policy of that identity; a new policy takes up to a minute to act.`,
    cause: answer,
  })
}

/** The port has no login at all (ILLEGAL_SASL_STATE), or another one. */
function otherLogin(answer: BrokerError, target: Named): SkkError {
  if (target.auth === 'none') return unauthenticated(answer, '', target)
  const reason = answer.text ? `: ${answer.text}` : ''
  return new SkkError(
    answer.code === 34
      ? `"${target.describe}" takes no login on this port`
      : `"${target.describe}" does not offer login with IAM (OAUTHBEARER)${reason}`,
    {
      code: 'AUTHENTICATION_MISMATCH',
      exit: 'denied',
      hint: 'Pass `--auth none` if its brokers ask for no login, or check the port: IAM is on 9098 on MSK.',
      cause: answer,
    },
  )
}

function unauthenticated(answer: BrokerError, who: string, target: Named): SkkError {
  if (target.auth === 'none') {
    return new SkkError(`the cluster "${target.describe}" wants authentication`, {
      code: 'AUTHENTICATION_REQUIRED',
      exit: 'denied',
      hint: 'Use `--auth iam`.',
      cause: answer,
    })
  }
  const reason = answer.text ? `: ${answer.text}` : ''
  return new SkkError(`"${target.describe}" refused ${who}${reason}`, {
    code: 'AUTHENTICATION_FAILED',
    exit: 'denied',
    hint: `Check that they are current, that they may do kafka-cluster:Connect on ${clusterArn(target)}, that the region is right and that this machine's clock is.`,
    cause: answer,
  })
}

/** The missing permission of an `…_AUTHORIZATION_FAILED` answer; stars stand for what is not known. */
function permission({code, subject}: Pick<BrokerError, 'code' | 'subject'>, target: Named): {action: string; resource: string} {
  const {api, topic, group} = subject
  const cluster = clusterArn(target)
  if (code === 30)
    return {action: `kafka-cluster:${ACTIONS[api] ?? 'DescribeGroup'}`, resource: inCluster(cluster, 'group', group)}
  if (code === 31) return {action: `kafka-cluster:${ACTIONS[api] ?? 'DescribeCluster'}`, resource: cluster}
  if (code === 53)
    return {action: 'kafka-cluster:AlterTransactionalId', resource: inCluster(cluster, 'transactional-id', undefined)}
  const action = api === 'OffsetCommit' ? 'ReadData' : (ACTIONS[api] ?? 'DescribeTopic')
  return {action: `kafka-cluster:${action}`, resource: inCluster(cluster, 'topic', topic)}
}

const clusterArn = ({clusterArn, region}: Named): string => clusterArn ?? `arn:aws:kafka:${region ?? '*'}:*:cluster/*/*`

const inCluster = (cluster: string, type: string, name: string | undefined): string =>
  `${cluster.replace(':cluster/', `:${type}/`)}/${name ?? '*'}`

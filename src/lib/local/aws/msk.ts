import {QUOTAS} from '../../limits.js'
import {AwsError} from './error.js'
import type {AwsRequest, AwsResponse, Route} from './server.js'

type VpcConfig = {subnetIds: string[]; securityGroupIds: string[]}

export type NewCluster = {name: string; tags: Record<string, string>; vpcConfigs: VpcConfig[]}

export type ClusterRecord = NewCluster & {
  arn: string
  /** With its `-s1`, as in the ARN. */
  uuid: string
  state: 'CREATING' | 'ACTIVE' | 'DELETING' | 'FAILED'
  /** ISO 8601. */
  creationTime: string
  currentVersion: string
  /** `host:port` of each broker, joined by commas; undefined until the cluster is ACTIVE. */
  bootstrap: string | undefined
}

/** The clusters of one stack. A record that is no longer in `list()` is deleted. */
export type ClusterStore = {
  list(): readonly ClusterRecord[]
  /** The record is CREATING, and in `list()` before this function first waits. */
  create(cluster: NewCluster): Promise<ClusterRecord>
  /** DELETING, then gone. */
  delete(arn: string): Promise<void>
  setTags(arn: string, tags: Record<string, string>): Promise<void>
}

/** The routes of the MSK API that MSK Serverless serves, and those that it refuses. */
export function mskRoutes(clusters: ClusterStore): Route[] {
  const onCluster = (handle: (cluster: ClusterRecord, request: AwsRequest) => AwsResponse | Promise<AwsResponse>) => ({
    resource: (request: AwsRequest) => request.path['clusterArn']!,
    handle: (request: AwsRequest) => handle(findCluster(clusters, request.path['clusterArn']!), request),
  })
  return [
    route('POST', '/api/v2/clusters', 'CreateClusterV2', {handle: (request) => createCluster(clusters, request)}),
    route('GET', '/api/v2/clusters', 'ListClustersV2', {handle: (request) => listClusters(clusters, request)}),
    route('GET', '/api/v2/clusters/{clusterArn}', 'DescribeClusterV2', onCluster(describeCluster)),
    route('GET', '/api/v2/clusters/{clusterArn}/operations', 'ListClusterOperationsV2', onCluster(listOperations)),
    route(
      'DELETE',
      '/v1/clusters/{clusterArn}',
      'DeleteCluster',
      onCluster((...args) => deleteCluster(clusters, ...args)),
    ),
    route('GET', '/v1/clusters/{clusterArn}/bootstrap-brokers', 'GetBootstrapBrokers', onCluster(getBootstrapBrokers)),
    // Clusters are the only resources here that have tags.
    route(
      'POST',
      '/v1/tags/{clusterArn}',
      'TagResource',
      onCluster((...args) => tagCluster(clusters, ...args)),
    ),
    route(
      'DELETE',
      '/v1/tags/{clusterArn}',
      'UntagResource',
      onCluster((...args) => untagCluster(clusters, ...args)),
    ),
    route(
      'GET',
      '/v1/tags/{clusterArn}',
      'ListTagsForResource',
      onCluster(({tags}) => ({status: 200, body: {tags}})),
    ),
    // The API of before Serverless does not see its clusters.
    route('GET', '/v1/clusters', 'ListClusters', {handle: () => ({status: 200, body: {clusterInfoList: []}})}),
    route('GET', '/v1/clusters/{clusterArn}', 'DescribeCluster', onCluster(refuseServerless)),
    route('GET', '/v1/clusters/{clusterArn}/nodes', 'ListNodes', onCluster(refuseServerless)),
    ...topicRoutes(),
  ]
}

function route(method: Route['method'], path: string, operation: string, rest: Pick<Route, 'handle' | 'resource'>): Route {
  return {method, path, service: 'kafka', action: `kafka:${operation}`, ...rest}
}

/** Their permissions are those of the data plane, so that nothing is checked before the refusal. */
function topicRoutes(): Route[] {
  const topics = '/v1/clusters/{clusterArn}/topics'
  const operations: [Route['method'], string][] = [
    ['POST', topics],
    ['GET', topics],
    ['GET', `${topics}/{topicName}`],
    ['GET', `${topics}/{topicName}/partitions`],
    ['PUT', `${topics}/{topicName}`],
    ['DELETE', `${topics}/{topicName}`],
  ]
  const handle = () => {
    throw badRequest('The topic APIs are not available for MSK Serverless clusters. Use the Kafka protocol.', 'clusterArn')
  }
  return operations.map(([method, path]) => ({method, path, service: 'kafka', handle}))
}

function refuseServerless(): never {
  throw badRequest('This operation cannot be performed on serverless clusters.', 'clusterArn')
}

function badRequest(message: string, invalidParameter: string): AwsError {
  return new AwsError(400, 'BadRequestException', message, {invalidParameter})
}

function findCluster(clusters: ClusterStore, arn: string): ClusterRecord {
  if (!/^arn:aws:kafka:[^:]+:\d{12}:cluster\/[^/]+\/[^/]+$/.test(arn)) {
    throw badRequest('One or more of the parameters are not valid.', 'clusterArn')
  }
  const cluster = clusters.list().find((candidate) => candidate.arn === arn)
  if (!cluster)
    throw new AwsError(404, 'NotFoundException', "The requested resource doesn't exist.", {invalidParameter: 'clusterArn'})
  return cluster
}

async function createCluster(clusters: ClusterStore, {body}: AwsRequest): Promise<AwsResponse> {
  const cluster = readNewCluster(body)
  if (clusters.list().some(({name}) => name === cluster.name)) {
    throw new AwsError(409, 'ConflictException', 'A resource with this name already exists.', {invalidParameter: 'clusterName'})
  }
  if (clusters.list().length >= QUOTAS.clustersPerAccount) {
    throw new AwsError(
      403,
      'ForbiddenException',
      `An account has at most ${QUOTAS.clustersPerAccount} MSK Serverless clusters in a region.`,
    )
  }
  const {arn, name, state} = await clusters.create(cluster)
  return {status: 200, body: {clusterArn: arn, clusterName: name, state, clusterType: 'SERVERLESS'}}
}

function readNewCluster(body: AwsRequest['body']): NewCluster {
  const {clusterName, provisioned, serverless, tags} = body
  if (typeof clusterName !== 'string' || clusterName.length < 1 || clusterName.length > 64) {
    throw badRequest('The cluster name must have 1 to 64 characters.', 'clusterName')
  }
  if (!/^[a-zA-Z0-9-]+$/.test(clusterName)) {
    throw badRequest('The parameter value contains one or more characters that are not valid.', 'clusterName')
  }
  if (provisioned !== undefined)
    throw badRequest('skk local has MSK Serverless clusters only, not provisioned ones.', 'provisioned')
  if (!isObject(serverless)) throw badRequest('The request must have the member serverless.', 'serverless')
  const {vpcConfigs, clientAuthentication} = serverless
  if (!isObject(clientAuthentication) || !isIamEnabled(clientAuthentication)) {
    throw badRequest('IAM access control must be enabled for MSK Serverless clusters.', 'clientAuthentication')
  }
  return {name: clusterName, vpcConfigs: readVpcConfigs(vpcConfigs), tags: readTags(tags ?? {})}
}

function isIamEnabled({sasl}: Record<string, unknown>): boolean {
  return isObject(sasl) && isObject(sasl['iam']) && sasl['iam']['enabled'] === true
}

function readVpcConfigs(value: unknown): VpcConfig[] {
  const {vpcsPerCluster, minimumSubnetsPerVpc} = QUOTAS
  if (!Array.isArray(value) || value.length < 1 || value.length > vpcsPerCluster) {
    throw badRequest(`A cluster must have 1 to ${vpcsPerCluster} VPC configurations.`, 'vpcConfigs')
  }
  return value.map((config) => {
    const {subnetIds, securityGroupIds = []} = isObject(config) ? config : {}
    if (!areStrings(subnetIds) || new Set(subnetIds).size < minimumSubnetsPerVpc) {
      throw badRequest(`Each VPC configuration must have at least ${minimumSubnetsPerVpc} subnets.`, 'subnetIds')
    }
    if (!areStrings(securityGroupIds)) throw badRequest('The security groups are not valid.', 'securityGroupIds')
    return {subnetIds, securityGroupIds}
  })
}

/** AWS's rules for tags of any service: 50, keys of 1-128, values of 0-256 characters, none that begins with `aws:`. */
function readTags(value: unknown, existing: Record<string, string> = {}): Record<string, string> {
  if (!isObject(value)) throw badRequest('The tags are not valid.', 'tags')
  const tags: Record<string, string> = Object.assign(Object.create(null), existing)
  for (const [key, text] of Object.entries(value)) {
    if (key.length < 1 || key.length > 128 || key.startsWith('aws:')) throw badRequest('A tag key is not valid.', 'tags')
    if (typeof text !== 'string' || text.length > 256) throw badRequest('A tag value is not valid.', 'tags')
    tags[key] = text
  }
  if (Object.keys(tags).length > 50) throw badRequest('A cluster has at most 50 tags.', 'tags')
  return tags
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function areStrings(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string' && item !== '')
}

function describeCluster(cluster: ClusterRecord): AwsResponse {
  return {status: 200, body: {clusterInfo: clusterInfo(cluster)}}
}

function clusterInfo({arn, name, creationTime, currentVersion, state, tags, vpcConfigs}: ClusterRecord) {
  return {
    clusterType: 'SERVERLESS',
    clusterArn: arn,
    clusterName: name,
    creationTime,
    currentVersion,
    state,
    tags,
    serverless: {
      vpcConfigs,
      clientAuthentication: {sasl: {iam: {enabled: true}}},
      connectivityInfo: {networkType: 'IPV4'},
    },
  }
}

function listClusters(clusters: ClusterStore, {query}: AwsRequest): AwsResponse {
  const prefix = query.get('clusterNameFilter')?.[0] ?? ''
  const type = query.get('clusterTypeFilter')?.[0] ?? 'SERVERLESS'
  const maxResults = readMaxResults(query.get('maxResults')?.[0])
  const nextToken = query.get('nextToken')?.[0]
  const matching = clusters.list().filter(({name}) => name.startsWith(prefix) && type.toUpperCase() === 'SERVERLESS')
  const sorted = matching.toSorted((a, b) => compare(a.creationTime, b.creationTime) || compare(a.arn, b.arn))
  const after = nextToken === undefined ? undefined : readPosition(nextToken)
  const rest = after
    ? sorted.filter((cluster) => (compare(cluster.creationTime, after.creationTime) || compare(cluster.arn, after.arn)) > 0)
    : sorted
  const page = rest.slice(0, maxResults)
  const next = rest.length > page.length ? {nextToken: writePosition(page.at(-1)!)} : {}
  return {status: 200, body: {clusterInfoList: page.map(clusterInfo), ...next}}
}

const compare = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0)

function readMaxResults(text = '100'): number {
  if (!/^\d{1,3}$/.test(text) || Number(text) < 1 || Number(text) > 100)
    throw badRequest('maxResults must be from 1 to 100.', 'maxResults')
  return Number(text)
}

type Position = Pick<ClusterRecord, 'creationTime' | 'arn'>

/** The last cluster of a page: a listing goes on after it even when it is gone. */
function writePosition({creationTime, arn}: Position): string {
  return Buffer.from(`${creationTime} ${arn}`).toString('base64url')
}

function readPosition(token: string): Position {
  const [, creationTime, arn] = /^(\S+) (arn:\S+)$/.exec(Buffer.from(token, 'base64url').toString()) ?? []
  if (creationTime === undefined || arn === undefined) throw badRequest('The next token is not valid.', 'nextToken')
  return {creationTime, arn}
}

function listOperations(): AwsResponse {
  return {status: 200, body: {clusterOperationInfoList: []}}
}

async function deleteCluster(clusters: ClusterStore, cluster: ClusterRecord, {query}: AwsRequest): Promise<AwsResponse> {
  const version = query.get('currentVersion')?.[0]
  if (version !== undefined && version !== cluster.currentVersion) {
    throw badRequest('This version of the cluster is not the current one.', 'currentVersion')
  }
  if (cluster.state === 'CREATING' || cluster.state === 'DELETING') {
    throw badRequest(`You can't delete a cluster in ${cluster.state} state.`, 'clusterArn')
  }
  await clusters.delete(cluster.arn)
  return {status: 200, body: {clusterArn: cluster.arn, state: 'DELETING'}}
}

function getBootstrapBrokers({state, bootstrap}: ClusterRecord): AwsResponse {
  if (state === 'ACTIVE' && bootstrap !== undefined) return {status: 200, body: {bootstrapBrokerStringSaslIam: bootstrap}}
  const message = `You can't get bootstrap broker nodes for a cluster in ${state} state.`
  if (state === 'FAILED') throw badRequest(message, 'clusterArn')
  throw new AwsError(409, 'ConflictException', message, {invalidParameter: 'clusterArn'})
}

async function tagCluster(clusters: ClusterStore, cluster: ClusterRecord, {body}: AwsRequest): Promise<AwsResponse> {
  await clusters.setTags(cluster.arn, readTags(body['tags'], cluster.tags))
  return {status: 204}
}

async function untagCluster(clusters: ClusterStore, cluster: ClusterRecord, {query}: AwsRequest): Promise<AwsResponse> {
  const keys = query.get('tagKeys') ?? []
  if (keys.length === 0) throw badRequest('tagKeys is missing.', 'tagKeys')
  const kept = Object.entries(cluster.tags).filter(([key]) => !keys.includes(key))
  await clusters.setTags(cluster.arn, Object.assign(Object.create(null), Object.fromEntries(kept)))
  return {status: 204}
}

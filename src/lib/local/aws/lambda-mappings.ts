import {parseReference, qualifiedArn} from '../lambda/function-record.js'
import type {Functions} from '../lambda/functions.js'
import type {MappingRecord} from '../lambda/mapping-record.js'
import type {Mappings} from '../lambda/mappings.js'
import {findFunction, type LambdaPlace} from './lambda-functions.js'
import {conflict, inUse, invalidParameter, notFound, page, readRequiredText, readText} from './lambda-input.js'
import {readMappingSettings, readNewMapping, refuseAnotherGroup} from './lambda-mapping-input.js'
import type {AwsRequest, AwsResponse} from './server.js'

export type MappingPlace = LambdaPlace & {
  functions: Functions
  mappings: Mappings
  hasCluster(arn: string): boolean
}

const MAX_PAGE = 100

export async function createMapping(place: MappingPlace, {body}: AwsRequest): Promise<AwsResponse> {
  const read = readNewMapping(body, Date.now())
  const functionArn = readFunctionArn(body, place)
  const mapping = {...read, functionArn}
  if (!place.hasCluster(mapping.eventSourceArn)) {
    throw invalidParameter(`The event source ARN "${mapping.eventSourceArn}" names no MSK cluster of this account and region.`)
  }
  refuseDuplicate(place.mappings, mapping)
  return {status: 202, body: show(await place.mappings.create(mapping))}
}

/** With the qualifier, if there is one: an alias is mapped, not what it stands for now. */
function readFunctionArn(body: AwsRequest['body'], place: MappingPlace): string {
  const {record, qualifier} = findFunction(place.functions, readRequiredText(body, 'FunctionName', {max: 256}), place)
  return qualifiedArn(record, qualifier === '$LATEST' ? undefined : qualifier)
}

type Identity = Pick<MappingRecord, 'eventSourceArn' | 'functionArn' | 'topic'> & {groupId: string | undefined; uuid?: string}

/** Also while the other one is being deleted. */
function refuseDuplicate(mappings: Mappings, {eventSourceArn, functionArn, topic, groupId, uuid}: Identity): void {
  const others = mappings.list().filter((other) => other.uuid !== uuid && other.eventSourceArn === eventSourceArn)
  const advice = ({uuid: existing}: MappingRecord) =>
    `already exists. Please update or delete the existing mapping with UUID ${existing}`
  const same = others.find((other) => other.functionArn === functionArn && other.topic === topic)
  if (same) {
    const what = `event source arn ("${eventSourceArn}"), function ("${functionArn}") and topics ("${topic}")`
    throw conflict(`An event source mapping with ${what} ${advice(same)}`)
  }
  const inGroup = groupId === undefined ? undefined : others.find((other) => other.groupId === groupId)
  if (inGroup) {
    const what = `event source arn ("${eventSourceArn}") and amazonManagedKafkaEventSourceConfig.consumerGroupId ("${groupId}")`
    throw conflict(`An event source mapping with ${what} ${advice(inGroup)}`)
  }
}

export function getMapping(mappings: Mappings, {path}: AwsRequest): AwsResponse {
  return {status: 200, body: show(findMapping(mappings, path['UUID']!))}
}

export function listMappings(place: MappingPlace, {query}: AwsRequest): AwsResponse {
  const source = query.get('EventSourceArn')?.[0]
  const functionArn = arnOf(query.get('FunctionName')?.[0], place)
  const matching = place.mappings
    .list()
    .filter(
      (mapping) =>
        (source === undefined || mapping.eventSourceArn === source) &&
        (functionArn ?? mapping.functionArn) === mapping.functionArn,
    )
  const {items, ...next} = page(matching, query, ({uuid}) => uuid, MAX_PAGE)
  return {status: 200, body: {EventSourceMappings: items.map(show), ...next}}
}

function arnOf(text: string | undefined, place: MappingPlace): string | undefined {
  if (text === undefined) return undefined
  const reference = parseReference(text, place)
  if (!reference) throw invalidParameter(`The function name "${text.slice(0, 256)}" is not valid in this account and region.`)
  const {name, qualifier} = reference
  const arn = `arn:aws:lambda:${place.region}:${place.accountId}:function:${name}`
  return qualifier === undefined || qualifier === '$LATEST' ? arn : `${arn}:${qualifier}`
}

export async function updateMapping(place: MappingPlace, {path, body}: AwsRequest): Promise<AwsResponse> {
  const mapping = findMapping(place.mappings, path['UUID']!)
  const settings = readMappingSettings(body, mapping.topic)
  refuseAnotherGroup(body, mapping.groupId)
  const hasFunction = readText(body, 'FunctionName', {max: 256}) !== undefined
  const functionArn = hasFunction ? readFunctionArn(body, place) : mapping.functionArn
  refuseWhileMoving(mapping, 'update')
  refuseDuplicate(place.mappings, {...mapping, functionArn})
  await place.mappings.update(mapping, {...settings, functionArn})
  return {status: 202, body: show(mapping)}
}

export async function deleteMapping(mappings: Mappings, {path}: AwsRequest): Promise<AwsResponse> {
  const mapping = findMapping(mappings, path['UUID']!)
  refuseWhileMoving(mapping, 'delete')
  await mappings.delete(mapping)
  return {status: 202, body: show(mapping)}
}

function refuseWhileMoving({state}: MappingRecord, verb: string): void {
  if (state !== 'Enabled' && state !== 'Disabled') throw inUse(`Cannot ${verb} the event source mapping because it is in use.`)
}

export function findMapping(mappings: Mappings, uuid: string): MappingRecord {
  return mappings.find(uuid) ?? fail()
}

function fail(): never {
  throw notFound('The resource you requested does not exist.')
}

/** EventSourceMappingConfiguration, as every operation on mappings shows it. */
function show(mapping: MappingRecord) {
  const {
    maximumBatchingWindowInSeconds: window,
    startingTimestamp,
    filters,
    onFailure,
    metrics,
    systemLogLevel,
    kmsKeyArn,
  } = mapping
  return {
    UUID: mapping.uuid,
    EventSourceMappingArn: mapping.arn,
    EventSourceArn: mapping.eventSourceArn,
    FunctionArn: mapping.functionArn,
    Topics: [mapping.topic],
    StartingPosition: mapping.startingPosition,
    ...(startingTimestamp !== undefined && {StartingPositionTimestamp: startingTimestamp / 1000}),
    BatchSize: mapping.batchSize,
    ...(window !== undefined && {MaximumBatchingWindowInSeconds: window}),
    ...(filters.length > 0 && {FilterCriteria: {Filters: filters.map((Pattern) => ({Pattern}))}}),
    DestinationConfig: {OnFailure: onFailure === undefined ? {} : {Destination: onFailure}},
    MaximumRetryAttempts: mapping.maximumRetryAttempts,
    MaximumRecordAgeInSeconds: mapping.maximumRecordAgeInSeconds,
    BisectBatchOnFunctionError: mapping.bisectBatchOnFunctionError,
    FunctionResponseTypes: mapping.functionResponseTypes,
    AmazonManagedKafkaEventSourceConfig: {ConsumerGroupId: mapping.groupId},
    ...(mapping.provisionedPollerConfig && {ProvisionedPollerConfig: mapping.provisionedPollerConfig}),
    ...(metrics && {MetricsConfig: {Metrics: metrics}}),
    ...(systemLogLevel !== undefined && {LoggingConfig: {SystemLogLevel: systemLogLevel}}),
    ...(kmsKeyArn !== undefined && {KMSKeyArn: kmsKeyArn}),
    State: mapping.state,
    StateTransitionReason: 'User action',
    LastModified: mapping.lastModified / 1000,
    LastProcessingResult: mapping.lastProcessingResult,
  }
}

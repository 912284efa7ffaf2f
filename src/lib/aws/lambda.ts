import type {EventSourceMappingConfiguration, LambdaClient} from '@aws-sdk/client-lambda'

import {SkkError} from '../errors.js'
import {explainAws, isAmbiguous, isThrottled} from './errors.js'
import {createInput, type Mapping, type MappingSettings, mappingOf, type NewMapping, updateInput} from './mapping.js'
import type {Access} from './msk.js'

/** One client for many calls. It never retries by itself, so that each throttle reaches the caller's limiter. */
export type Lambda = {client: LambdaClient; access: Access}

/** Opens a client of the Lambda API; `access.endpointUrl` is Lambda's. Close it. Throws SkkError (usage) without a region. */
export async function openLambda(access: Access): Promise<Lambda> {
  if (!access.region) {
    throw new SkkError('no region chosen', {
      code: 'REGION_MISSING',
      exit: 'usage',
      hint: 'Pass `--region` or set AWS_REGION; for a cluster of the local stack pass `--context local`.',
    })
  }
  const {LambdaClient} = await import('@aws-sdk/client-lambda')
  const client = new LambdaClient({
    region: access.region,
    credentials: access.credentials,
    maxAttempts: 1,
    ...(access.endpointUrl && {endpoint: access.endpointUrl}),
    requestHandler: {connectionTimeout: Math.ceil(access.timeoutMs / 2)},
  })
  return {client, access}
}

export const closeLambda = ({client}: Lambda): void => client.destroy()

/*
 * The functions below throw what the SDK throws, as it is: `verdictOf` reads it, and `explainLambda` makes it readable at the end.
 */

/** All mappings of a cluster, or of the account; only those from a Kafka topic. */
export async function listMappings(
  lambda: Lambda,
  filter: {eventSourceArn?: string; functionName?: string} = {},
  pages: {beforePage?: () => Promise<void>} = {},
): Promise<Mapping[]> {
  const {ListEventSourceMappingsCommand} = await import('@aws-sdk/client-lambda')
  const found: EventSourceMappingConfiguration[] = []
  let marker: string | undefined
  do {
    if (marker) await pages.beforePage?.()
    const page = await lambda.client.send(
      new ListEventSourceMappingsCommand({
        MaxItems: 100,
        ...(filter.eventSourceArn && {EventSourceArn: filter.eventSourceArn}),
        ...(filter.functionName && {FunctionName: filter.functionName}),
        ...(marker && {Marker: marker}),
      }),
      within(lambda),
    )
    found.push(...(page.EventSourceMappings ?? []))
    marker = page.NextMarker
  } while (marker)
  return found.filter(({Topics}) => Topics && Topics.length > 0).map(mappingOf)
}

/** Undefined when there is none of that UUID. */
export async function getMapping(lambda: Lambda, uuid: string): Promise<Mapping | undefined> {
  const {GetEventSourceMappingCommand} = await import('@aws-sdk/client-lambda')
  return missingIsUndefined(async () =>
    mappingOf(await lambda.client.send(new GetEventSourceMappingCommand({UUID: uuid}), within(lambda))),
  )
}

export async function createMapping(lambda: Lambda, mapping: NewMapping, tags: Record<string, string>): Promise<Mapping> {
  const {CreateEventSourceMappingCommand} = await import('@aws-sdk/client-lambda')
  return mappingOf(await lambda.client.send(new CreateEventSourceMappingCommand(createInput(mapping, tags)), within(lambda)))
}

export async function updateMapping(lambda: Lambda, uuid: string, settings: MappingSettings): Promise<Mapping> {
  const {UpdateEventSourceMappingCommand} = await import('@aws-sdk/client-lambda')
  return mappingOf(await lambda.client.send(new UpdateEventSourceMappingCommand(updateInput(uuid, settings)), within(lambda)))
}

export async function deleteMapping(lambda: Lambda, uuid: string): Promise<void> {
  const {DeleteEventSourceMappingCommand} = await import('@aws-sdk/client-lambda')
  await lambda.client.send(new DeleteEventSourceMappingCommand({UUID: uuid}), within(lambda))
}

/** Tags of a mapping or a function, by ARN. */
export async function tagsOf(lambda: Lambda, arn: string): Promise<Record<string, string>> {
  const {ListTagsCommand} = await import('@aws-sdk/client-lambda')
  return (await lambda.client.send(new ListTagsCommand({Resource: arn}), within(lambda))).Tags ?? {}
}

export async function tag(lambda: Lambda, arn: string, tags: Record<string, string>): Promise<void> {
  const {TagResourceCommand} = await import('@aws-sdk/client-lambda')
  await lambda.client.send(new TagResourceCommand({Resource: arn, Tags: tags}), within(lambda))
}

export type FunctionFacts = {arn: string; state: string; stateReason: string | null; timeoutSeconds: number; role: string}

/** What a mapping depends on; undefined when there is no such function. */
export async function functionFacts(lambda: Lambda, name: string): Promise<FunctionFacts | undefined> {
  const {GetFunctionConfigurationCommand} = await import('@aws-sdk/client-lambda')
  return missingIsUndefined(async () => {
    const found = await lambda.client.send(new GetFunctionConfigurationCommand({FunctionName: name}), within(lambda))
    return {
      arn: found.FunctionArn ?? '',
      state: found.State ?? '',
      stateReason: found.StateReason ?? null,
      timeoutSeconds: found.Timeout ?? 3,
      role: found.Role ?? '',
    }
  })
}

const within = ({access}: Lambda) => ({abortSignal: AbortSignal.timeout(access.timeoutMs)})

async function missingIsUndefined<T>(ask: () => Promise<T>): Promise<T | undefined> {
  try {
    return await ask()
  } catch (error) {
    if (nameOf(error) === 'ResourceNotFoundException') return undefined
    throw error
  }
}

/** What the SDK threw, for people. `action` is without `lambda:`. */
export const explainLambda = ({access}: Lambda, error: unknown, action: string, resource?: string): unknown =>
  explainAws(error, {
    action: `lambda:${action}`,
    ...(resource && {resource}),
    endpoint: access.endpointUrl ? new URL(access.endpointUrl).host : `lambda.${access.region}.amazonaws.com`,
  })

export type Verb = 'create' | 'update' | 'delete' | 'read'

/** `adopt`: something of that identity exists. `retry` says why, because a throttle slows everybody down and a lost answer does not. */
export type Verdict =
  | {kind: 'retry'; because: 'throttled' | 'ambiguous' | 'unreachable' | 'busy' | 'propagating'; retryAfterMs?: number}
  | {kind: 'adopt'; uuid: string | undefined}
  | {kind: 'success'}
  | {kind: 'fatal'}

const THROTTLES =
  /^(?:TooManyRequests|Throttl|LimitExceeded|ProvisionedThroughputExceeded|RequestLimitExceeded|SlowDown|CallerRateLimitExceeded)/
/** Terraform's list (terraform-provider-aws, consts.go): a role that IAM has not spread yet. */
const PROPAGATION = /cannot be assumed by Lambda|execution role does not have permissions|ensure the role can perform/
const UNREACHED = /^(?:ENOTFOUND|EAI_AGAIN|ECONNREFUSED)$/
const UUID_IN_CONFLICT = /mapping with UUID ([0-9a-f-]{36})/i

/** What to do about a failed call of `verb`. */
export function verdictOf(error: unknown, verb: Verb): Verdict {
  const {message} = error as Error
  const name = nameOf(error)
  if (THROTTLES.test(name) || isThrottled(error)) return {kind: 'retry', because: 'throttled', ...retryAfter(error)}
  if (name === 'ResourceInUseException') return {kind: 'retry', because: 'busy'}
  if (name === 'InvalidParameterValueException' && PROPAGATION.test(message)) return {kind: 'retry', because: 'propagating'}
  if (name === 'ResourceConflictException') {
    return verb === 'create'
      ? {kind: 'adopt', uuid: UUID_IN_CONFLICT.exec(message)?.[1]?.toLowerCase()}
      : {kind: 'retry', because: 'busy'}
  }
  if (name === 'ResourceNotFoundException' && verb === 'delete') return {kind: 'success'}
  if (UNREACHED.test(codeOf(error))) return {kind: 'retry', because: 'unreachable'}
  if (isAmbiguous(error) || /socket hang up/.test(message)) return {kind: 'retry', because: 'ambiguous'}
  return {kind: 'fatal'}
}

function retryAfter(error: unknown): {retryAfterMs?: number} {
  const {retryAfterSeconds, $response} = error as {
    retryAfterSeconds?: string
    $response?: {headers?: Record<string, string>}
  }
  const seconds = Number(retryAfterSeconds ?? $response?.headers?.['retry-after'])
  return seconds > 0 ? {retryAfterMs: seconds * 1000} : {}
}

const nameOf = (error: unknown): string => (error as Error).name ?? ''

/** Node hides the code of a failed connection behind an AggregateError, and the SDK behind a cause. */
function codeOf(error: unknown): string {
  const {code, cause, errors} = error as {code?: string; cause?: unknown; errors?: unknown[]}
  return code ?? (cause ? codeOf(cause) : errors?.[0] ? codeOf(errors[0]) : '')
}

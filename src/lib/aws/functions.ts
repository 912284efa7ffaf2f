import type {FunctionConfiguration, Runtime} from '@aws-sdk/client-lambda'

import {SkkError} from '../errors.js'
import {type RetryPolicy, retry} from '../retry.js'
import {explainLambda, type Lambda, type Verb, verdictOf} from './lambda.js'

/** A function of Lambda, as `--json` shows it. */
export type LambdaFunction = {
  name: string
  arn: string
  /** Pending, Active, Inactive or Failed; null in a list, where Lambda does not tell. */
  state: string | null
  stateReason: string | null
  /** InProgress, Successful or Failed. */
  lastUpdateStatus: string | null
  lastUpdateReason: string | null
  runtime: string | null
  handler: string | null
  role: string
  memoryMb: number
  timeoutSeconds: number
  /** Of the zipped code, in base64. */
  codeSha256: string
  codeBytes: number
  /** Null when it is in none. */
  vpc: Vpc | null
  /** ISO 8601, UTC. */
  modifiedAt: string | null
}

/** IDs, sorted. */
type Vpc = {subnets: string[]; securityGroups: string[]}

export type FunctionSettings = {
  handler?: string
  runtime?: string
  memoryMb?: number
  timeoutSeconds?: number
  role?: string
  vpc?: Vpc
  environment?: Record<string, string>
}

export type Answer = {
  /** 200, or 202 of one that was only queued. */
  status: number
  payload: Buffer
  /** Set when the payload describes an error of the function. */
  functionError: string | null
  /** The last 4 KB of its log, if they were asked for. */
  log: string | null
}

/** A throttle passes within seconds, a new role is known everywhere within a minute or two. */
const policy: RetryPolicy = {attempts: 14, firstDelayMs: 300, maxDelayMs: 10_000}
const UPLOAD_MS = 5 * 60_000
/** The longest that a function may run, and some for the way. */
const INVOKE_MS = 16 * 60_000

/** All functions of the account in the region, by name. Throws SkkError. */
export async function listFunctions(lambda: Lambda): Promise<LambdaFunction[]> {
  const {ListFunctionsCommand} = await import('@aws-sdk/client-lambda')
  const found: FunctionConfiguration[] = []
  let marker: string | undefined
  do {
    const input = {MaxItems: 50, ...(marker && {Marker: marker})}
    const page = await call(lambda, {action: 'ListFunctions', verb: 'read'}, (options) =>
      lambda.client.send(new ListFunctionsCommand(input), options),
    )
    found.push(...(page.Functions ?? []))
    marker = page.NextMarker
  } while (marker)
  return found.map(functionOf).sort((a, b) => (a.name < b.name ? -1 : 1))
}

/** Undefined when there is none of that name. Its environment is not in what commands show: it may hold secrets. */
export async function getFunction(
  lambda: Lambda,
  name: string,
): Promise<{found: LambdaFunction; environment: Record<string, string>} | undefined> {
  const {GetFunctionConfigurationCommand} = await import('@aws-sdk/client-lambda')
  try {
    const configuration = await call(lambda, {action: 'GetFunctionConfiguration', verb: 'read', name}, (options) =>
      lambda.client.send(new GetFunctionConfigurationCommand({FunctionName: name}), options),
    )
    return {found: functionOf(configuration), environment: configuration.Environment?.Variables ?? {}}
  } catch (error) {
    if (error instanceof SkkError && error.code === 'FUNCTION_NOT_FOUND') return undefined
    throw error
  }
}

/** `settings` needs a role, a handler and a runtime. Throws SkkError. */
export async function createFunction(lambda: Lambda, name: string, zip: Buffer, settings: FunctionSettings): Promise<void> {
  const {CreateFunctionCommand} = await import('@aws-sdk/client-lambda')
  const input = {FunctionName: name, Role: settings.role, Code: {ZipFile: zip}, ...inputOf(settings)}
  await call(lambda, {action: 'CreateFunction', verb: 'create', name, ms: UPLOAD_MS}, (options) =>
    lambda.client.send(new CreateFunctionCommand(input), options),
  )
}

export async function updateFunctionCode(lambda: Lambda, name: string, zip: Buffer): Promise<void> {
  const {UpdateFunctionCodeCommand} = await import('@aws-sdk/client-lambda')
  await call(lambda, {action: 'UpdateFunctionCode', verb: 'update', name, ms: UPLOAD_MS}, (options) =>
    lambda.client.send(new UpdateFunctionCodeCommand({FunctionName: name, ZipFile: zip}), options),
  )
}

/** What `settings` leaves out stays; its environment replaces the whole. */
export async function updateFunctionSettings(lambda: Lambda, name: string, settings: FunctionSettings): Promise<void> {
  const {UpdateFunctionConfigurationCommand} = await import('@aws-sdk/client-lambda')
  const input = {FunctionName: name, ...inputOf(settings)}
  await call(lambda, {action: 'UpdateFunctionConfiguration', verb: 'update', name}, (options) =>
    lambda.client.send(new UpdateFunctionConfigurationCommand(input), options),
  )
}

export async function deleteFunction(lambda: Lambda, name: string): Promise<void> {
  const {DeleteFunctionCommand} = await import('@aws-sdk/client-lambda')
  await call(lambda, {action: 'DeleteFunction', verb: 'read', name}, (options) =>
    lambda.client.send(new DeleteFunctionCommand({FunctionName: name}), options),
  )
}

/** Runs the function once; never a second time, whatever happens to the answer. Throws SkkError. */
export async function invokeFunction(
  lambda: Lambda,
  name: string,
  payload: Buffer,
  {async, tail}: {async: boolean; tail: boolean},
): Promise<Answer> {
  const {InvokeCommand} = await import('@aws-sdk/client-lambda')
  const input = {
    FunctionName: name,
    Payload: payload,
    InvocationType: async ? ('Event' as const) : ('RequestResponse' as const),
    ...(tail && {LogType: 'Tail' as const}),
  }
  const answer = await call(lambda, {action: 'InvokeFunction', verb: 'invoke', name, ms: INVOKE_MS}, (options) =>
    lambda.client.send(new InvokeCommand(input), options),
  )
  return {
    status: answer.StatusCode ?? 200,
    payload: Buffer.from(answer.Payload ?? []),
    functionError: answer.FunctionError ?? null,
    log: answer.LogResult === undefined ? null : Buffer.from(answer.LogResult, 'base64').toString(),
  }
}

const inputOf = ({handler, runtime, memoryMb, timeoutSeconds, role, vpc, environment}: FunctionSettings) => ({
  ...(handler !== undefined && {Handler: handler}),
  ...(runtime !== undefined && {Runtime: runtime as Runtime}),
  ...(memoryMb !== undefined && {MemorySize: memoryMb}),
  ...(timeoutSeconds !== undefined && {Timeout: timeoutSeconds}),
  ...(role !== undefined && {Role: role}),
  ...(vpc !== undefined && {VpcConfig: {SubnetIds: vpc.subnets, SecurityGroupIds: vpc.securityGroups}}),
  ...(environment !== undefined && {Environment: {Variables: environment}}),
})

function functionOf(configuration: FunctionConfiguration): LambdaFunction {
  const {LastModified, VpcConfig: {SubnetIds: subnets = [], SecurityGroupIds: securityGroups = []} = {}} = configuration
  return {
    name: configuration.FunctionName ?? '',
    arn: configuration.FunctionArn ?? '',
    state: configuration.State ?? null,
    stateReason: configuration.StateReason ?? null,
    lastUpdateStatus: configuration.LastUpdateStatus ?? null,
    lastUpdateReason: configuration.LastUpdateStatusReason ?? null,
    runtime: configuration.Runtime ?? null,
    handler: configuration.Handler ?? null,
    role: configuration.Role ?? '',
    memoryMb: configuration.MemorySize ?? 128,
    timeoutSeconds: configuration.Timeout ?? 3,
    codeSha256: configuration.CodeSha256 ?? '',
    codeBytes: configuration.CodeSize ?? 0,
    // Lambda answers empty lists for a function that left its VPC.
    vpc: subnets.length === 0 ? null : {subnets: subnets.sort(), securityGroups: securityGroups.sort()},
    modifiedAt: LastModified === undefined ? null : new Date(LastModified).toISOString(),
  }
}

type Attempt = {action: string; verb: Verb | 'invoke'; name?: string; ms?: number}

/** A call that is repeated where that is harmless, and whose failure is for people. */
async function call<T>(
  lambda: Lambda,
  {action, verb, name, ms = lambda.access.timeoutMs}: Attempt,
  send: (options: {abortSignal: AbortSignal}) => Promise<T>,
): Promise<T> {
  const mayRepeat = (error: unknown): boolean => {
    const verdict = verdictOf(error, verb === 'invoke' ? 'read' : verb)
    return verdict.kind === 'retry' && ['throttled', 'busy', 'propagating'].includes(verdict.because)
  }
  try {
    return await retry(() => send({abortSignal: AbortSignal.timeout(ms)}), mayRepeat, policy)
  } catch (error) {
    if (name !== undefined && (error as Error).name === 'ResourceNotFoundException') {
      throw new SkkError(`there is no function "${name}"`, {
        code: 'FUNCTION_NOT_FOUND',
        exit: 'notFound',
        hint: 'Run `skk functions list` to see the functions.',
        cause: error,
      })
    }
    throw explainLambda(lambda, error, action, name)
  }
}

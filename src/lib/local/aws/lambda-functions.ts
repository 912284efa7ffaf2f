import {
  type FunctionRecord,
  type FunctionSettings,
  type FunctionVersion,
  parseReference,
  qualifiedArn,
  versionOf,
} from '../lambda/function-record.js'
import type {Functions} from '../lambda/functions.js'
import {ZipError} from '../lambda/zip.js'
import {
  conflict,
  invalidParameter,
  notFound,
  page,
  readBoolean,
  readChoice,
  readInteger,
  readList,
  readObject,
  readRequiredText,
  readTags,
  readText,
  readTexts,
} from './lambda-input.js'
import type {AwsRequest, AwsResponse} from './server.js'

export type LambdaPlace = {region: string; accountId: string}

type Body = AwsRequest['body']

const RUNTIMES = ['nodejs22.x', 'nodejs24.x', 'nodejs26.x']
const NAME = /^[a-zA-Z0-9-_]{1,64}$/
const ROLE = /^arn:aws[a-zA-Z-]*:iam::\d{12}:role\/?[a-zA-Z_0-9+=,.@\-_/]+$/
const HANDLER = /^[^\s]+$/
const VARIABLE = /^[a-zA-Z][a-zA-Z0-9_]+$/
/** Those that Lambda sets itself (docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html, reserved). */
const RESERVED =
  /^(_HANDLER|_X_AMZN_TRACE_ID|AWS_(DEFAULT_)?REGION|AWS_EXECUTION_ENV|AWS_LAMBDA_(FUNCTION_(NAME|MEMORY_SIZE|VERSION)|INITIALIZATION_TYPE|LOG_(GROUP|STREAM)_NAME|RUNTIME_API)|AWS_ACCESS_KEY(_ID)?|AWS_SECRET_ACCESS_KEY|AWS_SESSION_TOKEN|LAMBDA_(TASK_ROOT|RUNTIME_DIR))$/
const ENVIRONMENT_BYTES = 4096

/** The function that the path or the body names, and the qualifier from either the name or the query. @throws AwsError */
export function findFunction(functions: Functions, text: string, place: LambdaPlace, queryQualifier?: string) {
  const reference = parseReference(text, place)
  if (!reference) throw invalidParameter(`The function name "${text.slice(0, 256)}" is not valid in this account and region.`)
  const qualifier = queryQualifier ?? reference.qualifier
  if (queryQualifier !== undefined && reference.qualifier !== undefined && reference.qualifier !== queryQualifier) {
    throw invalidParameter('The derived qualifier from the function name does not match the specified qualifier.')
  }
  const record = functions.find(reference.name)
  const version = record && versionOf(record, qualifier)
  if (!record || !version) {
    const arn = `arn:aws:lambda:${place.region}:${place.accountId}:function:${reference.name}`
    throw notFound(`Function not found: ${arn}${qualifier === undefined ? '' : `:${qualifier}`}`)
  }
  return {record, version, qualifier}
}

export async function createFunction(functions: Functions, {body}: AwsRequest): Promise<AwsResponse> {
  const name = readRequiredText(body, 'FunctionName', {max: 140}).split(':').at(-1)!
  if (!NAME.test(name)) throw invalidParameter(`The function name "${name}" is not 1 to 64 letters, digits, - or _.`)
  if (readChoice(body, 'PackageType', ['Zip', 'Image']) === 'Image')
    throw invalidParameter('skk local runs zip packages only, not images.')
  if ((readList(body, 'Layers', {max: 5})?.length ?? 0) > 0) throw invalidParameter('skk local has no layers.')
  const required = {
    runtime: readRuntime(body) ?? missing('runtime'),
    handler: readText(body, 'Handler', {pattern: HANDLER, max: 128}) ?? missing('handler'),
    role: readRequiredText(body, 'Role', {pattern: ROLE, max: 10_000}),
  }
  const settings: FunctionSettings = {
    description: '',
    timeout: 3,
    memorySize: 128,
    environment: {},
    vpcConfig: undefined,
    ...readSettings(body),
    ...required,
  }
  const rest = {architectures: readArchitectures(body), tags: readTags(body)}
  const archive = readArchive(readObject(body, 'Code') ?? {})
  if (functions.isTaken(name)) throw conflict(`Function already exist: ${name}`)
  const record = await unzipping(() => functions.create(name, settings, archive, rest))
  const publish = readBoolean(body, 'Publish') === true ? await functions.publish(record, undefined) : undefined
  return {status: 201, body: configuration(record, publish ?? record.latest, publish?.version)}
}

/** Shown as it was asked for; a function runs on the machine that there is. */
function readArchitectures(body: Body): string[] {
  const [architecture = 'x86_64'] = readTexts(body, 'Architectures', {max: 1}) ?? []
  if (!['x86_64', 'arm64'].includes(architecture))
    throw invalidParameter(`The architecture "${architecture.slice(0, 64)}" is not x86_64 or arm64.`)
  return [architecture]
}

function missing(member: string): never {
  throw invalidParameter(`The ${member} parameter is required for functions with a package type of Zip.`)
}

function readRuntime(body: Body): string | undefined {
  const runtime = readText(body, 'Runtime', {max: 64})
  if (runtime === undefined || RUNTIMES.includes(runtime)) return runtime
  throw invalidParameter(
    `Value ${runtime} at 'runtime' failed to satisfy constraint: Member must satisfy enum value set: [${RUNTIMES.join(', ')}] or be a valid ARN`,
  )
}

function readSettings(body: Body): Partial<FunctionSettings> {
  const vpc = readObject(body, 'VpcConfig')
  const read = {
    description: readText(body, 'Description', {max: 256}),
    runtime: readRuntime(body),
    handler: readText(body, 'Handler', {pattern: HANDLER, max: 128}),
    role: readText(body, 'Role', {pattern: ROLE, max: 10_000}),
    timeout: readInteger(body, 'Timeout', {min: 1, max: 900}),
    memorySize: readInteger(body, 'MemorySize', {min: 128, max: 10_240}),
    environment: readEnvironment(body),
    vpcConfig: vpc && {
      SubnetIds: readTexts(vpc, 'SubnetIds', {max: 16}) ?? [],
      SecurityGroupIds: readTexts(vpc, 'SecurityGroupIds', {max: 5}) ?? [],
    },
  }
  return Object.fromEntries(Object.entries(read).filter(([, value]) => value !== undefined))
}

function readEnvironment(body: Body): Record<string, string> | undefined {
  const environment = readObject(body, 'Environment')
  if (!environment) return undefined
  const variables = readObject(environment, 'Variables') ?? {}
  const prefix = 'Lambda was unable to configure your environment variables because the environment variables you have provided'
  const reserved = Object.keys(variables).filter((name) => RESERVED.test(name))
  if (reserved.length > 0) {
    throw invalidParameter(
      `${prefix} contains reserved keys that are currently not supported for modification. Reserved keys used in this request: ${reserved.join(', ')}`,
    )
  }
  for (const [name, value] of Object.entries(variables)) {
    if (!VARIABLE.test(name) || typeof value !== 'string')
      throw invalidParameter(`The environment variable "${name.slice(0, 256)}" is not valid.`)
  }
  if (Buffer.byteLength(JSON.stringify(variables)) > ENVIRONMENT_BYTES)
    throw invalidParameter(`${prefix} exceeded the 4KB limit.`)
  return {...variables} as Record<string, string>
}

function readArchive(members: Body): Buffer {
  const {ZipFile, S3Bucket, ImageUri} = members
  if (S3Bucket !== undefined || ImageUri !== undefined)
    throw invalidParameter('skk local takes code as ZipFile only, not from S3 or ECR.')
  if (typeof ZipFile !== 'string' || ZipFile === '') throw invalidParameter('Please provide a source for function code.')
  return Buffer.from(ZipFile, 'base64')
}

async function unzipping<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (!(error instanceof ZipError)) throw error
    if (error.tooLarge) throw invalidParameter('Unzipped size must be smaller than 262144000 bytes')
    throw invalidParameter(`Could not unzip uploaded file. Please check your file, then try to upload again. (${error.message})`)
  }
}

function refuseUnlessIdle({latest, arn}: FunctionRecord): void {
  const now = 'The operation cannot be performed at this time.'
  if (latest.state === 'Pending') throw conflict(`${now} The function is currently in the following state: Pending`)
  if (latest.lastUpdateStatus === 'InProgress') throw conflict(`${now} An update is in progress for resource: ${arn}`)
}

export async function updateCode(functions: Functions, record: FunctionRecord, {body}: AwsRequest): Promise<AwsResponse> {
  const archive = readArchive(body)
  refuseUnlessIdle(record)
  refuseRevision(record, body)
  if (readBoolean(body, 'DryRun') === true) return {status: 200, body: configuration(record, record.latest, undefined)}
  await unzipping(() => functions.updateCode(record, archive))
  const publish = readBoolean(body, 'Publish') === true ? await functions.publish(record, undefined) : undefined
  return {status: 200, body: configuration(record, publish ?? record.latest, publish?.version)}
}

export async function updateConfiguration(
  functions: Functions,
  record: FunctionRecord,
  {body}: AwsRequest,
): Promise<AwsResponse> {
  const settings = readSettings(body)
  refuseUnlessIdle(record)
  refuseRevision(record, body)
  await functions.updateSettings(record, settings)
  return {status: 200, body: configuration(record, record.latest, undefined)}
}

function refuseRevision({latest}: FunctionRecord, body: Body): void {
  const wanted = readText(body, 'RevisionId', {max: 256})
  if (wanted === undefined || wanted === latest.revisionId) return
  throw conflict(
    'The Revision Id provided does not match the latest Revision Id. Call the GetFunction/GetAlias API to retrieve the latest Revision Id',
  )
}

export function getFunction(record: FunctionRecord, version: FunctionVersion, qualifier: string | undefined): AwsResponse {
  const tags = Object.keys(record.tags).length > 0 ? {Tags: record.tags} : {}
  return {status: 200, body: {Configuration: configuration(record, version, qualifier), Code: {RepositoryType: 'S3'}, ...tags}}
}

export function listFunctions(functions: Functions, {query}: AwsRequest): AwsResponse {
  const {items, ...next} = page(functions.list(), query, ({name}) => name, 50)
  const all = query.get('FunctionVersion')?.[0] === 'ALL'
  const shown = items.flatMap((record) => [record.latest, ...(all ? record.versions : [])].map((version) => ({record, version})))
  const list = shown.map(({record, version}) => configuration(record, version, all ? version.version : undefined))
  return {status: 200, body: {Functions: list, ...next}}
}

export async function deleteFunction(
  functions: Functions,
  record: FunctionRecord,
  qualifier: string | undefined,
): Promise<AwsResponse> {
  if (qualifier === undefined) await functions.delete(record)
  else {
    if (qualifier === '$LATEST') throw invalidParameter('$LATEST version cannot be deleted without deleting the function.')
    const version = record.versions.find((candidate) => candidate.version === qualifier)
    if (!version) throw invalidParameter('An alias is deleted with DeleteAlias.')
    if (record.aliases.some((alias) => alias.version === qualifier))
      throw conflict(`Version ${qualifier} is referenced by aliases.`)
    await functions.deleteVersion(record, version)
  }
  return {status: 204}
}

/** FunctionConfiguration, as every operation on functions shows it. */
export function configuration(record: FunctionRecord, version: FunctionVersion, qualifier: string | undefined) {
  const {state, lastUpdateStatus} = version
  return {
    FunctionName: record.name,
    FunctionArn: qualifiedArn(record, qualifier),
    Runtime: version.runtime,
    Role: version.role,
    Handler: version.handler,
    CodeSize: version.codeSize,
    Description: version.description,
    Timeout: version.timeout,
    MemorySize: version.memorySize,
    // Not quite ISO 8601, but how Lambda writes it.
    LastModified: version.lastModified.replace('Z', '+0000'),
    CodeSha256: version.codeSha256,
    Version: version.version,
    ...(version.vpcConfig && {VpcConfig: version.vpcConfig}),
    ...(Object.keys(version.environment).length > 0 && {Environment: {Variables: version.environment}}),
    TracingConfig: {Mode: 'PassThrough'},
    RevisionId: version.revisionId,
    State: state,
    ...(state === 'Pending' && {StateReason: 'The function is being created.', StateReasonCode: 'Creating'}),
    LastUpdateStatus: lastUpdateStatus,
    ...(lastUpdateStatus === 'InProgress' &&
      state === 'Active' && {LastUpdateStatusReason: 'The function is being updated.', LastUpdateStatusReasonCode: 'Updating'}),
    PackageType: 'Zip',
    Architectures: version.architectures,
    EphemeralStorage: {Size: 512},
    SnapStart: {ApplyOn: 'None', OptimizationStatus: 'Off'},
    LoggingConfig: {LogFormat: 'Text', LogGroup: `/aws/lambda/${record.name}`},
  }
}

/** One version of a function: `$LATEST`, which changes, or a published one, which does not. */
export type FunctionVersion = {
  version: string
  description: string
  runtime: string
  handler: string
  role: string
  /** Seconds. */
  timeout: number
  /** MB. */
  memorySize: number
  environment: Record<string, string>
  architectures: string[]
  vpcConfig: {SubnetIds: string[]; SecurityGroupIds: string[]} | undefined
  /** Base64, of the archive as it was uploaded. */
  codeSha256: string
  /** Of the archive, in bytes. */
  codeSize: number
  /** ISO 8601. */
  lastModified: string
  revisionId: string
  state: 'Pending' | 'Active'
  lastUpdateStatus: 'InProgress' | 'Successful'
}

export type Alias = {name: string; version: string; description: string; revisionId: string}

export type FunctionRecord = {
  name: string
  /** Without a qualifier. */
  arn: string
  latest: FunctionVersion
  versions: FunctionVersion[]
  nextVersion: number
  aliases: Alias[]
  tags: Record<string, string>
}

/** What a caller may set of a version. */
export type FunctionSettings = Pick<
  FunctionVersion,
  'description' | 'runtime' | 'handler' | 'role' | 'timeout' | 'memorySize' | 'environment' | 'vpcConfig'
>

export type FunctionReference = {name: string; qualifier: string | undefined}

/**
 * A function as its callers may name it: `name`, `name:qualifier`, `123456789012:function:name` or its ARN, with or without
 * qualifier. Undefined when it is none of these, or of another account or region.
 */
export function parseReference(
  text: string,
  {region, accountId}: {region: string; accountId: string},
): FunctionReference | undefined {
  const pattern =
    /^(?:arn:aws:lambda:([a-z0-9-]+):)?(?:(\d{12}):)?(?:function:)?([a-zA-Z0-9-_]{1,64})(?::(\$LATEST|[a-zA-Z0-9-_]{1,128}))?$/
  const [, itsRegion = region, itsAccount = accountId, name, qualifier] = pattern.exec(text) ?? []
  if (name === undefined || itsRegion !== region || itsAccount !== accountId) return undefined
  return {name, qualifier}
}

/** The version that a qualifier names: `$LATEST`, a number or an alias; `$LATEST` without one. */
export function versionOf(
  {latest, versions, aliases}: FunctionRecord,
  qualifier: string | undefined,
): FunctionVersion | undefined {
  if (qualifier === undefined || qualifier === '$LATEST') return latest
  const wanted = aliases.find(({name}) => name === qualifier)?.version ?? qualifier
  return wanted === '$LATEST' ? latest : versions.find(({version}) => version === wanted)
}

export const qualifiedArn = ({arn}: FunctionRecord, qualifier: string | undefined): string =>
  qualifier === undefined ? arn : `${arn}:${qualifier}`

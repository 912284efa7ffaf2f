import {join} from 'node:path'

import {type Credentials, credentialProvider, regionOfProfile} from './aws/credentials.js'
import {checkCluster, isLoopbackAddress, isLoopbackUrl, isServerlessArn, parseBootstrap, regionIn} from './contexts/addresses.js'
import {type Context, type Contexts, contextsFile, readContexts} from './contexts/config-file.js'
import {type LocalStack, localStack} from './contexts/local-stack.js'
import {readProject} from './contexts/project-file.js'
import {SkkError} from './errors.js'
import {nearest} from './nearest.js'

export {type Context, saveContext} from './contexts/config-file.js'

/** How long reaching a cluster may take when nobody said otherwise. */
const DEFAULT_TIMEOUT_MS = 10_000

/** The base flags that say where a command acts. */
export type TargetFlags = {
  context?: string | undefined
  cluster?: string | undefined
  bootstrap?: string | undefined
  region?: string | undefined
  profile?: string | undefined
  auth?: 'iam' | 'none' | undefined
  tls?: boolean | undefined
  ca?: string | undefined
  via?: string | undefined
  'endpoint-url'?: string | undefined
  /** In milliseconds. */
  timeout?: number | undefined
}

/** Where contexts, caches and the local stack's state live, and from where a project file is looked for. */
export type Surroundings = {configDir: string; cacheDir: string; dataDir: string; cwd: string; env: NodeJS.ProcessEnv}

/** What a command acts on, with everything resolved but the bootstrap of a cluster. */
export type Target = {
  /** Name of the context, if one was used. */
  context: string | undefined
  /** Name or ARN of the cluster. */
  cluster: string | undefined
  bootstrap: string | undefined
  region: string | undefined
  auth: 'iam' | 'none'
  tls: boolean
  ca: string | undefined
  via: string | undefined
  /** Of the MSK API; undefined is AWS's own. */
  endpointUrl: string | undefined
  /** The memoised provider; nothing is looked up before it is called. */
  credentials: () => Promise<Credentials>
  /** Of a context that is protected itself; `isProtected` knows about the others. */
  protected: boolean
  /** Whether the cluster is known to be Serverless, so that its rules can be told before it refuses. */
  serverless: boolean
  timeoutMs: number
  cacheDir: string
  /** What another context of the same account and route would hold. */
  account: Pick<Context, 'region' | 'credentials' | 'via' | 'endpointUrls' | 'dataDir'>
}

type Choice = {name: string | undefined; context: Context; explicit: boolean}

/**
 * What the flags, the environment, the project file and the user's contexts choose together, in that order. Asks no network and
 * looks for no credentials. Throws SkkError (usage) when nothing is chosen, when two worlds would be mixed, or a file is wrong.
 */
export async function resolveTarget(flags: TargetFlags, surroundings: Surroundings): Promise<Target> {
  const choice = await choose(flags, surroundings)
  if (!choice && !flags.cluster && !flags.bootstrap) throw clusterMissing()
  const target = await settle(choice, flags, surroundings)
  if (flags.ca !== undefined && !target.tls) throw nothingToVerify()
  return target
}

/**
 * The same for commands that need an account but no cluster (`clusters list`, `clusters create`): a region and credentials do.
 */
export async function resolveAccount(flags: TargetFlags, surroundings: Surroundings): Promise<Target> {
  const choice = await choose(flags, surroundings)
  return settle(choice, flags, surroundings)
}

/** Names of the user's contexts, sorted. */
export async function listContextNames(configDir: string): Promise<string[]> {
  return Object.keys((await readContexts(configDir)).contexts).sort()
}

/** The context that applies, and what named it; undefined when none does. */
export async function chosenContext(
  flags: Pick<TargetFlags, 'context'>,
  {configDir, cwd, env}: Pick<Surroundings, 'configDir' | 'cwd' | 'env'>,
): Promise<{name: string; source: '--context' | 'SKK_CONTEXT' | 'skk.yaml' | 'current'} | undefined> {
  if (flags.context) return {name: flags.context, source: '--context'}
  if (env.SKK_CONTEXT) return {name: env.SKK_CONTEXT, source: 'SKK_CONTEXT'}
  const project = await readProject(cwd)
  if (project?.context) return {name: project.context, source: 'skk.yaml'}
  const {current} = await readContexts(configDir)
  return current === undefined ? undefined : {name: current, source: 'current'}
}

async function choose(flags: TargetFlags, surroundings: Surroundings): Promise<Choice | undefined> {
  refuseEmpty(flags)
  const chosen = await chosenContext(flags, surroundings)
  if (!chosen) return undefined

  const context = contextNamed(chosen.name, await readContexts(surroundings.configDir), surroundings.configDir)
  return {name: chosen.name, context, explicit: chosen.source === '--context'}
}

/** One of the user's contexts. Throws SkkError (not found) with the nearest name. */
export function contextNamed(name: string, {contexts}: Contexts, configDir: string): Context {
  const context = contexts[name]
  if (context) return context

  const meant = nearest(name, Object.keys(contexts))
  throw new SkkError(`context "${name}" does not exist in "${contextsFile(configDir)}"`, {
    code: 'CONTEXT_NOT_FOUND',
    exit: 'notFound',
    hint: meant
      ? `Did you mean "${meant}"? Run \`skk contexts list\` to see all.`
      : 'Run `skk contexts list` to see all, or `skk contexts set` to make one.',
  })
}

/** A variable that is not set must not silently become the current context. */
function refuseEmpty(flags: TargetFlags): void {
  const empty = Object.entries(flags).find(([, value]) => value === '')
  if (empty)
    throw new SkkError(`--${empty[0]} is empty`, {code: 'USAGE', exit: 'usage', hint: 'Give it a value, or leave it out.'})
}

async function settle(choice: Choice | undefined, flags: TargetFlags, surroundings: Surroundings): Promise<Target> {
  const {env, cacheDir} = surroundings
  const context = applicable(choice, flags)
  const name = replacesStack(choice, flags) ? undefined : choice?.name
  const local = context.credentials === 'local'
  keepWorldsApart(choice, context, flags, env)

  const stack = local ? await localStack(context.dataDir ?? join(surroundings.dataDir, 'local')) : undefined
  const cluster = flags.cluster ?? (flags.bootstrap ? undefined : context.cluster)
  const bootstrap =
    flags.bootstrap ?? (flags.cluster ? undefined : (context.bootstrap ?? (context.cluster ? undefined : stack?.bootstrap)))
  if (bootstrap) parseBootstrap(bootstrap)
  if (flags.cluster) checkCluster(flags.cluster)
  const endpointUrl =
    flags['endpoint-url'] ?? context.endpointUrls?.kafka ?? stack?.endpoint ?? env.AWS_ENDPOINT_URL_KAFKA ?? env.AWS_ENDPOINT_URL
  const credentials = flags.profile ? {profile: flags.profile} : context.credentials
  const profile = typeof credentials === 'object' ? credentials.profile : undefined
  const auth = flags.auth ?? context.auth ?? 'iam'
  const region =
    stack?.region ??
    regionSaid(flags, context, env) ??
    (bootstrap && auth === 'none' ? undefined : await regionOfProfile(profile))
  const via = flags.via ?? context.via

  return {
    context: name,
    cluster: cluster ?? (bootstrap === stack?.bootstrap ? stack?.clusterArn : undefined),
    bootstrap,
    region,
    auth,
    tls: flags.tls ?? context.tls ?? (stack ? Boolean(stack.ca) : !isLocalRoute(bootstrap, endpointUrl)),
    ca: flags.ca ?? context.ca ?? stack?.ca,
    via,
    endpointUrl,
    credentials: stack ? stackCredentials(stack) : credentialProvider(profile),
    protected: Boolean(context.protected),
    serverless: stack ? stack.apiProfile !== 'wide' : isServerlessArn(cluster),
    timeoutMs: flags.timeout ?? DEFAULT_TIMEOUT_MS,
    cacheDir,
    account: {
      ...(region && !stack && {region}),
      ...(credentials && {credentials}),
      ...(via && {via}),
      ...(!stack &&
        (endpointUrl || context.endpointUrls) && {
          endpointUrls: {...context.endpointUrls, ...(endpointUrl && {kafka: endpointUrl})},
        }),
      ...(context.dataDir && {dataDir: context.dataDir}),
    },
  }
}

/**
 * The part of the context that still holds: --cluster and --bootstrap replace its cluster, and the keys of the local stack with
 * it, unless --context itself named the stack.
 */
function applicable(choice: Choice | undefined, flags: TargetFlags): Context {
  if (!choice || replacesStack(choice, flags)) return {}
  if (!replacesCluster(flags)) return choice.context

  const {cluster: _cluster, bootstrap: _bootstrap, protected: _protected, ...rest} = choice.context
  return rest
}

const replacesCluster = ({cluster, bootstrap}: TargetFlags): boolean => cluster !== undefined || bootstrap !== undefined

const replacesStack = (choice: Choice | undefined, flags: TargetFlags): boolean =>
  choice?.context.credentials === 'local' && !choice.explicit && replacesCluster(flags)

function keepWorldsApart(choice: Choice | undefined, context: Context, flags: TargetFlags, env: NodeJS.ProcessEnv): void {
  const name = choice?.name
  if (context.credentials === 'local') {
    const stray = (['profile', 'region'] as const).find((flag) => flags[flag] !== undefined)
    if (stray) throw mixed(`--${stray} does not go with context "${name}", which has its own keys and region`)
    if (flags.bootstrap && !parseBootstrap(flags.bootstrap).every(isLoopbackAddress)) {
      throw mixed(`--bootstrap "${flags.bootstrap}" does not go with context "${name}", which is on this machine`)
    }
    return
  }

  if (Object.keys(context).length === 0 || flags['endpoint-url']) return
  const variable = ['AWS_ENDPOINT_URL_KAFKA', 'AWS_ENDPOINT_URL'].find((key) => env[key] && isLoopbackUrl(env[key]))
  if (variable && !context.endpointUrls?.kafka) {
    throw mixed(
      `${variable} points at this machine, but context "${name}" does not`,
      `Run \`unset ${variable}\`, or pass \`--context local\`.`,
    )
  }
}

const mixed = (message: string, hint = 'Leave it out, or choose another context with `--context`.'): SkkError =>
  new SkkError(message, {code: 'WORLDS_MIXED', exit: 'usage', hint})

const clusterMissing = (): SkkError =>
  new SkkError('no cluster chosen', {
    code: 'CLUSTER_MISSING',
    exit: 'usage',
    hint: 'Run `skk local start` for one on this machine, or pass `--context`, `--cluster` or `--bootstrap`.',
  })

/** On loopback that is the default, and whoever names an authority takes the connection for a verified one. */
const nothingToVerify = (): SkkError =>
  new SkkError('--ca does not go with a connection without TLS', {
    code: 'USAGE',
    exit: 'usage',
    hint: 'Add `--tls`, or leave out `--ca`.',
  })

const isLocalRoute = (bootstrap: string | undefined, endpointUrl: string | undefined): boolean =>
  bootstrap ? parseBootstrap(bootstrap).every(isLoopbackAddress) : endpointUrl !== undefined && isLoopbackUrl(endpointUrl)

/**
 * --region > what the name of a cluster given by flag says > context > what the name of its cluster says > AWS_REGION >
 * AWS_DEFAULT_REGION. Only after all of them a profile is asked, because that loads the AWS SDK.
 */
const regionSaid = (flags: TargetFlags, context: Context, env: NodeJS.ProcessEnv): string | undefined =>
  flags.region ??
  regionIn(flags.cluster) ??
  regionIn(flags.bootstrap) ??
  context.region ??
  regionIn(context.cluster) ??
  regionIn(context.bootstrap) ??
  (env.AWS_REGION || env.AWS_DEFAULT_REGION || undefined)

const stackCredentials =
  ({accessKeyId, secretAccessKey, sessionToken}: LocalStack) =>
  async (): Promise<Credentials> => ({accessKeyId, secretAccessKey, ...(sessionToken && {sessionToken})})

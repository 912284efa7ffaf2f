import {readFile} from 'node:fs/promises'
import {join} from 'node:path'

import {bootstrapBrokers, findCluster} from '../aws/msk.js'
import type {Surroundings, Target} from '../contexts.js'
import {isArn, isLoopbackUrl, parseBootstrap} from './addresses.js'
import {type Context, readContexts, writePrivately} from './config-file.js'
import {localStack} from './local-stack.js'

const FRESH_MS = 5 * 60_000

type Known = {arn: string; bootstrap: string; at: number}
type Cache = {version: 1; clusters: Record<string, Known>}

/** Where the brokers are, and the ARN of their cluster if it is MSK's. */
export type Location = {arn: string | undefined; bootstrap: string[]}

/**
 * Where the target's brokers are. A cluster is looked up with the MSK API and remembered for five minutes in a file that only its
 * owner reads. Throws SkkError: not found, denied, unavailable (also while the cluster is being created).
 */
export async function locate(target: Target): Promise<Location> {
  const {cluster} = target
  if (target.bootstrap) return {arn: cluster && isArn(cluster) ? cluster : undefined, bootstrap: parseBootstrap(target.bootstrap)}
  const {arn, bootstrap} = await lookUp(target)
  return {arn, bootstrap: parseBootstrap(bootstrap)}
}

/** The addresses of the target's brokers; as `locate`. */
export const bootstrapOf = async (target: Target): Promise<string[]> => (await locate(target)).bootstrap

/**
 * Whether the cluster is that of any protected context, whatever named it: the same ARN, or one address in common. Brokers that
 * were looked up for a protected context's ARN before are compared too.
 */
export async function isProtected(
  target: Target,
  {configDir, dataDir}: Pick<Surroundings, 'configDir' | 'dataDir'>,
): Promise<boolean> {
  if (target.protected) return true
  const {contexts} = await readContexts(configDir)
  const marked = Object.values(contexts).filter((context) => context.protected)
  const guarded = await Promise.all(marked.map((context) => withStack(context, dataDir)))
  if (guarded.length === 0) return false

  const arn = target.cluster && !isArn(target.cluster) ? (await lookUp(target)).arn : target.cluster
  if (guarded.some((context) => namesCluster(context, arn))) return true

  const {clusters} = await readCache(target.cacheDir)
  const theirs = guarded.flatMap((context) => addressesOf(context, Object.values(clusters)))
  if (theirs.length === 0) return false
  const ours = await bootstrapOf(target).catch(() => [])
  return ours.some((address) => theirs.includes(address.toLowerCase()))
}

/** A context of the local stack that names no cluster means the stack's own, with both of its doors. */
async function withStack(context: Context, dataDir: string): Promise<Context> {
  if (context.credentials !== 'local' || context.cluster || context.bootstrap) return context
  const stack = await localStack(context.dataDir ?? join(dataDir, 'local')).catch(() => undefined)
  if (!stack) return context
  const bootstrap = [stack.bootstrap, stack.plaintextBootstrap].filter(Boolean).join(',')
  return {...context, cluster: stack.clusterArn, bootstrap}
}

/** A context may hold an ARN, or a name in its region. */
function namesCluster({cluster, region}: Context, arn: string | undefined): boolean {
  if (!cluster || !arn) return false
  const [, , , itsRegion, , resource] = arn.split(':')
  return cluster === arn || (cluster === resource?.split('/')[1] && (region === undefined || region === itsRegion))
}

function addressesOf(context: Context, known: readonly Known[]): string[] {
  const looked = known.find(({arn}) => namesCluster(context, arn))?.bootstrap
  return [context.bootstrap, looked].flatMap((bootstrap) => (bootstrap ? parseBootstrap(bootstrap.toLowerCase()) : []))
}

/** Whether the MSK API of this target is on this machine. */
export const isLocal = ({endpointUrl}: Pick<Target, 'endpointUrl'>): boolean =>
  endpointUrl !== undefined && isLoopbackUrl(endpointUrl)

/** How often a cluster that is being created or deleted is asked for its state. */
export const pollMs = (target: Pick<Target, 'endpointUrl'>): number => (isLocal(target) ? 100 : 15_000)

async function lookUp(target: Target): Promise<Known> {
  const key = JSON.stringify([target.cluster, target.region, target.endpointUrl, target.account.credentials])
  // A local stack is fast to ask and may have been reset.
  const cache = !isLocal(target) ? await readCache(target.cacheDir) : undefined
  const known = cache?.clusters[key]
  if (known && Date.now() - known.at < FRESH_MS) return known

  const {arn} = await findCluster(target, target.cluster!)
  const found: Known = {arn, bootstrap: await bootstrapBrokers(target, arn), at: Date.now()}
  if (cache) await remember(target.cacheDir, {...cache, clusters: {...cache.clusters, [key]: found}})
  return found
}

const cacheFile = (cacheDir: string): string => join(cacheDir, 'bootstrap.json')

async function readCache(cacheDir: string): Promise<Cache> {
  try {
    const cache = JSON.parse(await readFile(cacheFile(cacheDir), 'utf8')) as Cache
    if (cache.version === 1) return cache
  } catch {
    // Nothing is lost without a cache.
  }
  return {version: 1, clusters: {}}
}

/** Forgets a cluster that no longer exists under its name or ARN. */
export async function forget(target: Target, arn: string): Promise<void> {
  const cache = await readCache(target.cacheDir)
  const kept = Object.entries(cache.clusters).filter(([, known]) => known.arn !== arn)
  if (kept.length < Object.keys(cache.clusters).length)
    await remember(target.cacheDir, {version: 1, clusters: Object.fromEntries(kept)})
}

async function remember(cacheDir: string, cache: Cache): Promise<void> {
  await writePrivately(cacheFile(cacheDir), JSON.stringify(cache)).catch(() => {})
}

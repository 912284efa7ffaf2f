import {readFile} from 'node:fs/promises'
import {join} from 'node:path'

import {bootstrapBrokers, findCluster} from '../aws/msk.js'
import type {Surroundings, Target} from '../contexts.js'
import {isArn, isLoopbackUrl, parseBootstrap} from './addresses.js'
import {type Context, readContexts, writePrivately} from './config-file.js'

const FRESH_MS = 5 * 60_000

type Known = {arn: string; bootstrap: string; at: number}
type Cache = {version: 1; clusters: Record<string, Known>}

/**
 * The addresses of the target's brokers. A cluster is looked up with the MSK API and remembered for five minutes in a file that
 * only its owner reads. Throws SkkError: not found, denied, unavailable, or conflict while the cluster is being created.
 */
export async function bootstrapOf(target: Target): Promise<string[]> {
  if (target.bootstrap) return parseBootstrap(target.bootstrap)
  const {bootstrap} = await lookUp(target)
  return parseBootstrap(bootstrap)
}

/** The ARN of the target's cluster, if it has one; a name is looked up. */
export async function arnOf(target: Target): Promise<string | undefined> {
  if (!target.cluster || isArn(target.cluster)) return target.cluster
  return (await lookUp(target)).arn
}

/**
 * Whether the cluster is that of any protected context, whatever named it: the same ARN, or one address in common. Brokers that
 * were looked up for a protected context's ARN before are compared too.
 */
export async function isProtected(target: Target, {configDir}: Pick<Surroundings, 'configDir'>): Promise<boolean> {
  if (target.protected) return true
  const {contexts} = await readContexts(configDir)
  const guarded = Object.values(contexts).filter((context) => context.protected)
  if (guarded.length === 0) return false

  const arn = await arnOf(target)
  const addresses = new Set(
    (target.bootstrap ? parseBootstrap(target.bootstrap) : await bootstrapOf(target)).map((a) => a.toLowerCase()),
  )
  const {clusters} = await readCache(target.cacheDir)
  return guarded.some((context) => sameCluster(context, arn, addresses, Object.values(clusters)))
}

function sameCluster(
  context: Context,
  arn: string | undefined,
  addresses: ReadonlySet<string>,
  known: readonly Known[],
): boolean {
  if (arn !== undefined && context.cluster === arn) return true
  const looked = known.find((cluster) => cluster.arn === context.cluster)?.bootstrap
  const theirs = [context.bootstrap, looked].flatMap((bootstrap) => (bootstrap ? parseBootstrap(bootstrap) : []))
  return theirs.some((address) => addresses.has(address.toLowerCase()))
}

async function lookUp(target: Target): Promise<Known> {
  const key = JSON.stringify([target.cluster, target.region, target.endpointUrl])
  // A local stack is fast to ask and may have been reset.
  const cacheable = !(target.endpointUrl && isLoopbackUrl(target.endpointUrl))
  const cache = cacheable ? await readCache(target.cacheDir) : undefined
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

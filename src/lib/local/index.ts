import {randomBytes} from 'node:crypto'
import {hostname} from 'node:os'

import {SkkError} from '../errors.js'
import {cloudWatchRoutes} from './aws/cloudwatch.js'
import {lambdaRoutes} from './aws/lambda.js'
import {mskRoutes} from './aws/msk.js'
import {type Control, serveHttp} from './aws/server.js'
import {type Advertise, Clusters, type Port, type RunningCluster} from './clusters.js'
import {claimDataDir, releaseDataDir, type Stack, writeStack} from './data-dir.js'
import {type Identity, loadIdentities} from './iam-file.js'
import {readFaultRule} from './kafka/fault-rule.js'
import {Faults} from './kafka/faults.js'
import type {ApiProfile} from './kafka/profiles.js'
import {Functions} from './lambda/functions.js'
import {Mappings} from './lambda/mappings.js'

export type LocalOptions = {
  dataDir: string
  region?: string
  accountId?: string
  /** Where the cluster `local` speaks SASL with IAM. */
  port?: Port
  /** Where it speaks to anybody; undefined for nowhere. */
  plaintextPort?: Port | undefined
  httpPort?: Port
  brokers?: number
  tls?: boolean
  apiProfile?: ApiProfile
  fsync?: boolean
  /** Access keys and policies; without it `test`/`test` may do everything. */
  iamFile?: string | undefined
  /** How long a cluster is CREATING and DELETING, a function Pending, a mapping Creating, and then not yet polling. */
  createDelayMs?: number
  /** Requests a second that Lambda's control plane takes; AWS documents 15. */
  lambdaRate?: number
  /** How long a Kafka client may rest in the middle of a frame, an answer or a login; 10 s by default. */
  stallMs?: number
  /** How long a login lasts at most; until its token ends unless given. */
  maxSessionMs?: number
  /** For tests that put a proxy in front of each node: the address that clients are told instead of the node's own. */
  advertise?: Advertise
  /** What the stack has to tell, a line at a time: denials, failed authentications, recoveries. */
  log?(line: string): void
}

export type Local = Stack & {
  /** Stops the stack: nothing more is accepted, everything is on disk. */
  stop(): Promise<void>
  /** Resolves when somebody asked for a stop over the control route. */
  stopRequested: Promise<void>
  /** What goes wrong on purpose, in every cluster of the stack. */
  faults: Faults
  nodeIds: readonly number[]
  /** What the death of a broker looks like to clients: they find other leaders. */
  killNode(nodeId: number): Promise<void>
  reviveNode(nodeId: number): Promise<void>
  /** What the user should know, lowercase sentences without full stop. */
  warnings: readonly string[]
}

const ANY_PORT: Port = {wanted: 0, mayMove: true}

/** How often retention and compaction look; Kafka looks every five minutes. */
const CLEAN_MS = 30_000

const LAMBDA_RATE = 15

/**
 * MSK Serverless in this process, on loopback only: the cluster `local`, ACTIVE, and the MSK API that makes more.
 * Ports are free ones unless given. Throws SkkError conflict when the data directory or a port that may not move is taken.
 */
export async function startLocal(options: LocalOptions): Promise<Local> {
  const {dataDir, region = 'us-east-1', accountId = '123456789012', apiProfile = 'msk-serverless', log = () => {}} = options
  const createDelayMs = options.createDelayMs ?? 500
  const identities = await loadIdentities(options.iamFile, accountId)
  await claimDataDir(dataDir)
  const closers: (() => Promise<void>)[] = [() => releaseDataDir(dataDir)]
  const stop = async (): Promise<void> => {
    for (const close of closers.splice(0).reverse()) await close()
  }
  try {
    const certificate = options.tls ? await (await import('./tls.js')).certificates(dataDir) : undefined
    const faults = new Faults()
    const clusters = new Clusters({
      dataDir,
      region,
      accountId,
      nodes: options.brokers ?? 1,
      profile: apiProfile,
      fsync: options.fsync ?? false,
      tls: certificate,
      createDelayMs,
      stallMs: options.stallMs,
      faults,
      advertise: options.advertise,
      authentication: {
        identities,
        region,
        hostNames: ['127.0.0.1', 'localhost', '::1', hostname()],
        maxSessionMs: options.maxSessionMs,
      },
      log,
    })
    closers.push(() => clusters.close())
    const cluster = await startClusters(clusters, options)

    const identity = identities.all[0]!
    let endpoint = ''
    const functions = new Functions({
      dataDir,
      region,
      accountId,
      delayMs: createDelayMs,
      stackEnvironment: () => stackEnvironment(endpoint, identity, certificate?.caFile),
      log,
    })
    closers.push(() => functions.close())
    await functions.load()
    const mappings = new Mappings({
      dataDir,
      region,
      accountId,
      delayMs: createDelayMs,
      functions,
      cluster: (arn) => clusters.running(arn),
      log,
    })
    closers.push(() => mappings.close())
    await mappings.load()

    let requestStop = (): void => {}
    const stopRequested = new Promise<void>((resolve) => {
      requestStop = resolve
    })
    const token = randomBytes(32).toString('base64url')
    const health = async (): Promise<unknown> => ({pid: process.pid})
    const control = {
      health,
      stop: async () => {
        requestStop()
        return health()
      },
      ...faultRoutes(faults),
    }
    const http = await onPort(options.httpPort ?? ANY_PORT, (port) =>
      serveHttp({
        port,
        identities,
        region,
        controlToken: token,
        control,
        routes: [
          ...mskRoutes(clusters),
          ...cloudWatchRoutes({mappings, cluster: (arn) => clusters.running(arn)}),
          ...lambdaRoutes({
            functions,
            mappings,
            hasCluster: (arn) => clusters.list().some((record) => record.arn === arn),
            region,
            accountId,
            ratePerSecond: options.lambdaRate ?? LAMBDA_RATE,
          }),
        ],
        log,
      }),
    )
    endpoint = `http://127.0.0.1:${http.port}`
    closers.push(() => http.close())
    // Only now: the functions that it invokes are told the endpoint.
    mappings.resume()
    closers.push(cleanEvery(CLEAN_MS, clusters, log))

    const stack: Stack = {
      pid: process.pid,
      token,
      endpoint,
      bootstrap: cluster.bootstrap,
      plaintextBootstrap: cluster.plaintextBootstrap,
      clusterArn: cluster.record.arn,
      region,
      accountId,
      apiProfile,
      accessKeyId: identity.accessKeyId,
      secretAccessKey: identity.secretAccessKey,
      ...(identity.sessionToken !== undefined && {sessionToken: identity.sessionToken}),
      ...(certificate && {ca: certificate.caFile}),
      dataDir,
    }
    await writeStack(dataDir, stack)
    return {
      ...stack,
      stop,
      stopRequested,
      faults,
      nodeIds: cluster.broker.nodeIds,
      killNode: (nodeId) => clusters.killNode(nodeId),
      reviveNode: (nodeId) => clusters.reviveNode(nodeId),
      warnings: identities.warnings,
    }
  } catch (error) {
    await stop()
    throw error
  }
}

/** What `skk local faults` asks for. */
const faultRoutes = (faults: Faults): Control => ({
  'faults-add': async (rule) => faults.add(readFaultRule(rule)),
  'faults-list': async () => faults.list(),
  'faults-clear': async ({id}) => faults.clear(typeof id === 'number' ? id : undefined),
})

/** What a function needs to reach this stack and nothing else: the stack's own keys, made up, and its endpoints. */
function stackEnvironment(endpoint: string, identity: Identity, caFile: string | undefined): Record<string, string> {
  const {accessKeyId, secretAccessKey, sessionToken} = identity
  return {
    AWS_ACCESS_KEY_ID: accessKeyId,
    AWS_SECRET_ACCESS_KEY: secretAccessKey,
    ...(sessionToken !== undefined && {AWS_SESSION_TOKEN: sessionToken}),
    AWS_ENDPOINT_URL_KAFKA: endpoint,
    AWS_ENDPOINT_URL_LAMBDA: endpoint,
    ...(caFile !== undefined && {NODE_EXTRA_CA_CERTS: caFile}),
  }
}

/** The cluster `local` first, so that its ports are the wanted ones, then those made over the MSK API earlier. */
async function startClusters(clusters: Clusters, {port = ANY_PORT, plaintextPort}: LocalOptions): Promise<RunningCluster> {
  await clusters.load()
  const record = await clusters.ensure('local')
  try {
    const running = await clusters.start(record, port, plaintextPort)
    await clusters.resume()
    return running
  } catch (error) {
    throw asPortError(error)
  }
}

async function onPort<T>({wanted, mayMove}: Port, listen: (port: number) => Promise<T>): Promise<T> {
  try {
    return await listen(wanted)
  } catch (error) {
    if (mayMove && (error as NodeJS.ErrnoException).code === 'EADDRINUSE') return listen(0)
    throw asPortError(error)
  }
}

function asPortError(error: unknown): unknown {
  const {code, port} = error as NodeJS.ErrnoException & {port?: number}
  if (code !== 'EADDRINUSE') return error
  return new SkkError(`port ${port} is taken`, {
    code: 'PORT_TAKEN',
    exit: 'conflict',
    hint: 'Pass another port, or 0 to have a free one picked.',
    cause: error,
  })
}

function cleanEvery(ms: number, clusters: Clusters, log: (line: string) => void): () => Promise<void> {
  let running = Promise.resolve()
  const timer = setInterval(() => {
    running = clusters.clean(Date.now()).catch((error: Error) => log(`error: cleaning: ${error.message}`))
  }, ms)
  timer.unref()
  return () => {
    clearInterval(timer)
    return running
  }
}

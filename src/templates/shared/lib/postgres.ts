import {GetSecretValueCommand, SecretsManagerClient} from '@aws-sdk/client-secrets-manager'
import {Signer} from '@aws-sdk/rds-signer'
import pg from 'pg'

import type {Reader} from './config.ts'
import type {Deadline} from './deadline.ts'

export type DatabaseSettings = {
  host: string
  port: number
  database: string
  user: string
  auth: 'secret' | 'iam' | 'none'
  /** ARN or name of a secret as RDS makes it: JSON with `username` and `password`. */
  secretId: string
  tls: boolean
  region: string
}

/** One statement of a transaction. */
export type Query = <Row extends object = Record<string, any>>(text: string, values?: readonly unknown[]) => Promise<Row[]>

export type Database = {
  /**
   * Runs `work` between BEGIN and COMMIT, after all that were asked for before, and returns what it returns; whatever it throws is
   * thrown after ROLLBACK. At the deadline the connection is closed: whether an unanswered COMMIT was done is not known then.
   */
  transaction<Result>(deadline: Deadline, work: (query: Query) => Promise<Result>): Promise<Result>
  close(): Promise<void>
}

const CONNECT_MS = 8000

/** DB_HOST, DB_PORT, DB_NAME, DB_USER, DB_AUTH, DB_SECRET_ID and DB_TLS. Without TLS or without a password only on this machine. */
export function readDatabaseSettings(from: Reader, env: Record<string, string | undefined>): DatabaseSettings {
  const host = from.text('DB_HOST')
  const onThisMachine = ['localhost', '127.0.0.1', '::1'].includes(host)
  const auth = from.oneOf('DB_AUTH', ['secret', 'iam', 'none'], 'secret')
  const tls = from.flag('DB_TLS', !onThisMachine)
  if (host !== '' && !onThisMachine && (auth === 'none' || !tls))
    from.complain('DB_AUTH=none and DB_TLS=false are for this machine only')
  return {
    host,
    port: from.integer('DB_PORT', {min: 1, max: 65_535, or: 5432}),
    database: from.text('DB_NAME'),
    user: auth === 'secret' ? from.text('DB_USER', '') : from.text('DB_USER'),
    auth,
    secretId: auth === 'secret' ? from.text('DB_SECRET_ID') : from.text('DB_SECRET_ID', ''),
    tls,
    region: env['AWS_REGION'] ?? 'us-east-1',
  }
}

/** One connection for all invocations of a sandbox, made when it is first needed and again after it broke. */
export function postgres(settings: DatabaseSettings): Database {
  let connected: Promise<pg.Client> | undefined
  let last: Promise<unknown> = Promise.resolve()

  const drop = async () => {
    const old = connected
    connected = undefined
    const client = await old?.catch(() => undefined)
    // The server may be gone, or not answer any more: no goodbye is waited for.
    ;(client as unknown as {connection?: {stream: {destroy(): void}}})?.connection?.stream.destroy()
  }
  const client = () => {
    if (connected) return connected
    const connecting = connect(settings)
    connected = connecting
    const forget = () => {
      if (connected === connecting) connected = undefined
    }
    connecting.then((made) => made.on('error', forget).on('end', forget), forget)
    return connecting
  }
  const run = async <Result>(deadline: Deadline, work: (query: Query) => Promise<Result>): Promise<Result> => {
    const timeoutMs = Math.max(1, Math.floor(deadline.remainingMs()))
    try {
      return await within(timeoutMs, inTransaction(await within(timeoutMs, client()), timeoutMs, work))
    } catch (error) {
      // An error of the server has come after a ROLLBACK; after any other nobody knows what the connection is in.
      // Nobody waits for the end of a connection that may be still on its way: the answer is due.
      if (sqlStateOf(error) === undefined || isLost(error)) drop().catch(() => {})
      throw error
    }
  }
  return {
    transaction(deadline, work) {
      const result = last.then(() => run(deadline, work))
      last = result.catch(() => {})
      return result
    },
    async close() {
      await last
      await drop()
    },
  }
}

async function inTransaction<Result>(
  client: pg.Client,
  timeoutMs: number,
  work: (query: Query) => Promise<Result>,
): Promise<Result> {
  const query: Query = async (text, values = []) => (await client.query(text, [...values])).rows
  await client.query(`BEGIN; SET LOCAL statement_timeout = ${timeoutMs}; SET LOCAL lock_timeout = ${timeoutMs}`)
  try {
    const result = await work(query)
    const {command} = await client.query('COMMIT')
    if (command !== 'COMMIT') throw new Error('the server has rolled the transaction back')
    return result
  } catch (error) {
    await client.query('ROLLBACK').catch(() => {})
    throw error
  }
}

/** A password that was rotated is read anew by the next connection: nothing is kept of it. */
async function connect(settings: DatabaseSettings): Promise<pg.Client> {
  const {host, port, database, tls} = settings
  const client = new pg.Client({
    host,
    port,
    database,
    ...(await credentials(settings)),
    ssl: tls && {rejectUnauthorized: true},
    connectionTimeoutMillis: CONNECT_MS,
    application_name: process.env['AWS_LAMBDA_FUNCTION_NAME'] ?? 'local',
    keepAlive: true,
  })
  client.on('error', () => {})
  await client.connect()
  await client.query(`SET TIME ZONE 'UTC'`)
  return client
}

async function credentials({
  auth,
  host,
  port,
  user,
  secretId,
  region,
}: DatabaseSettings): Promise<{user: string; password?: string}> {
  if (auth === 'none') return {user}
  if (auth === 'iam') return {user, password: await new Signer({hostname: host, port, username: user, region}).getAuthToken()}
  const {SecretString = ''} = await new SecretsManagerClient({}).send(new GetSecretValueCommand({SecretId: secretId}))
  return fromSecret(SecretString, user)
}

function fromSecret(text: string, named: string): {user: string; password: string} {
  let secret: {username?: unknown; password?: unknown} | null = null
  try {
    secret = JSON.parse(text)
  } catch {
    // Said below, without a word of the secret.
  }
  const user = named || secret?.username
  if (typeof user === 'string' && typeof secret?.password === 'string') return {user, password: secret.password}
  throw new Error('the secret of DB_SECRET_ID must be JSON with username and password')
}

async function within<Value>(timeoutMs: number, work: Promise<Value>): Promise<Value> {
  work.catch(() => {})
  let timer: NodeJS.Timeout
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error('the database did not answer in time')), timeoutMs)
  })
  return Promise.race([work, late]).finally(() => clearTimeout(timer))
}

/** The five characters by which PostgreSQL names an error (its manual, appendix A); undefined for an error of anybody else. */
export function sqlStateOf(error: unknown): string | undefined {
  const {code, severity} = error as {code?: unknown; severity?: unknown}
  return typeof code === 'string' && severity !== undefined ? code : undefined
}

/** Integrity, data, what a trigger raises, a check of a view, and a row that is too large for its index. */
const FAULTS_OF_A_ROW = /^(21|22|23|44|54|P0)/

/** Whether the row is to blame, so that it will fail again however often it is tried. */
export const isFaultOfRow = (error: unknown): boolean => FAULTS_OF_A_ROW.test(sqlStateOf(error) ?? '')

/** Connections, deadlocks, serialization, locks, resources, a server that shuts down: it may work in a moment. */
const PASSING = /^(08|40|53|57P0|55P03)/

/** Whether the same may work at once, or in a moment. An error that is not the server's is one of the connection. */
export function mayPass(error: unknown): boolean {
  const state = sqlStateOf(error)
  return state === undefined || PASSING.test(state)
}

const isLost = (error: unknown): boolean => /^(08|57P0|28)/.test(sqlStateOf(error) ?? '')

/** A name as SQL has it, whatever is in it. */
export const identifier = (name: string): string => `"${name.replaceAll('"', '""')}"`

/** `schema.table` or `table`, each part as it is: the dot is the only character that means something. */
export const tableName = (name: string): string => name.split('.').map(identifier).join('.')

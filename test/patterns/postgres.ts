/** A PostgreSQL server of its own, from Debian's packages, in a temporary directory on a free port. */
import {chown, mkdtemp, rm} from 'node:fs/promises'
import {createRequire} from 'node:module'
import {tmpdir} from 'node:os'
import {join} from 'node:path'

import {installPostgres} from '../engines/install.js'
import {end, eventually, expectSuccess, start} from '../engines/processes.js'
import {freePort} from './free-port.js'

export type Postgres = {
  port: number
  /** The rows that a statement returns, in a connection of their own for all. */
  query<Row = Record<string, any>>(sql: string, values?: readonly unknown[]): Promise<Row[]>
  /** A connection that the caller ends. */
  connect(): Promise<Client>
  /** What a function needs to get there. */
  environment: Record<string, string>
  stop(): Promise<void>
}

/** The part of the driver that is used here. */
export type Client = {
  query(text: string, values?: readonly unknown[]): Promise<{rows: any[]}>
  connect(): Promise<void>
  end(): Promise<void>
}

/** `project` is a directory whose dependencies have the driver. */
export async function startPostgres(project: string): Promise<Postgres> {
  const bin = await installPostgres()
  const dir = await mkdtemp(join(tmpdir(), 'skk-postgres-'))
  const as = await otherUser()
  if (as) await chown(dir, as.uid, as.gid)
  const data = join(dir, 'data')
  const init = ['-D', data, '-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--locale', 'C', '--no-sync']
  await expectSuccess(...asUser(as, join(bin, 'initdb'), init))
  const port = await freePort()
  const settings = ['-c', 'fsync=off', '-c', 'listen_addresses=127.0.0.1', '-c', `unix_socket_directories=${dir}`]
  const [command, args] = asUser(as, join(bin, 'postgres'), ['-D', data, '-p', String(port), ...settings])
  const server = start(command, args)
  const {Client} = createRequire(join(project, 'package.json'))('pg')
  const connect = async () => {
    const client: Client = new Client({host: '127.0.0.1', port, user: 'postgres', database: 'postgres'})
    await client.connect()
    return client
  }
  let own: Client | undefined
  await eventually(async () => {
    own = await connect().catch(() => undefined)
    return own !== undefined
  }, 120_000)
  return {
    port,
    query: async (sql, values = []) => (await own!.query(sql, values)).rows,
    connect,
    environment: {DB_HOST: '127.0.0.1', DB_PORT: String(port), DB_NAME: 'postgres', DB_USER: 'postgres', DB_AUTH: 'none'},
    async stop() {
      await own!.end()
      // Fast shutdown: sandboxes still have their connections.
      await end(server, 'SIGINT')
      await rm(dir, {recursive: true, force: true})
    },
  }
}

type User = {uid: number; gid: number}

/** PostgreSQL refuses to run as root. */
async function otherUser(): Promise<User | undefined> {
  if (process.getuid?.() !== 0) return undefined
  const idOf = async (flag: string) => Number((await expectSuccess('id', [flag, 'postgres'])).stdout)
  return {uid: await idOf('-u'), gid: await idOf('-g')}
}

/** Without a process in between, so that what is ended is the server. */
function asUser(user: User | undefined, command: string, args: string[]): [string, string[]] {
  if (!user) return [command, args]
  return ['setpriv', ['--reuid', String(user.uid), '--regid', String(user.gid), '--clear-groups', command, ...args]]
}

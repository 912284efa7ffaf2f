import type {TestContext} from 'node:test'

import {PGlite} from '@electric-sql/pglite'
import {PGLiteSocketServer} from '@electric-sql/pglite-socket'

/** The table of the tests, and where the sink keeps how far it is. */
const SCHEMA = `
  create table customers (id text primary key, name text, total numeric(40, 2) check (total >= 0), extra jsonb);
  create table _skk_offsets (topic text, "partition" int, next_offset bigint not null, primary key (topic, "partition"));
`

let shared: Promise<PGlite> | undefined

/** PostgreSQL inside this process, with fresh tables, behind a socket that is gone when the test ends. */
export async function database(test: TestContext, more = '') {
  shared ??= PGlite.create()
  const db = await shared
  await db.exec(`drop schema public cascade; create schema public; ${SCHEMA} ${more}`)
  const server = new PGLiteSocketServer({db, port: 0, maxConnections: 10})
  await server.start()
  test.after(() => server.stop())
  const env = {
    DB_HOST: '127.0.0.1',
    DB_PORT: server.getServerConn().split(':').at(-1)!,
    DB_NAME: 'postgres',
    DB_USER: 'postgres',
    DB_AUTH: 'none',
    TABLE_FORMAT: 'customers',
    INSERT_MODE: 'upsert',
    PK_MODE: 'record_key',
    PK_FIELDS: 'id',
    DELETE_ENABLED: 'true',
  }
  const rows = async (sql: string) => (await db.query<Record<string, any>>(sql)).rows
  return {env, rows}
}

/** The process ends when its database does. */
export const closeDatabase = async (): Promise<void> => (await shared)?.close()

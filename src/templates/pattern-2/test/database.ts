import {PGlite} from '@electric-sql/pglite'
import {PGLiteSocketServer} from '@electric-sql/pglite-socket'

import type {Query} from '../src/lib/postgres.ts'

/** What sql/ makes, and a table that is read. */
const SCHEMA = `
  create table outbox (
    id uuid primary key default gen_random_uuid(), seq bigint generated always as identity, aggregatetype text not null,
    aggregateid text not null, type text not null, payload jsonb, tenant text, created_at timestamptz not null default now(),
    published_at timestamptz);
  create table outbox_dead (
    id uuid primary key, aggregatetype text, aggregateid text, type text, payload jsonb, created_at timestamptz, reason text,
    died_at timestamptz default now());
  create table _skk_watermarks (source text primary key, watermark timestamptz not null);
  create table _skk_dead (source text, key text, at timestamptz, reason text, primary key (source, key, at));
  create table orders (id bigint primary key, total numeric, updated_at timestamptz not null default now());
`

export type Database = {query: Query; port: number; stop(): Promise<void>}

/** PostgreSQL inside this process, with fresh tables, also behind a socket. */
export async function startDatabase(): Promise<Database & {fresh(): Promise<void>}> {
  const db = await PGlite.create()
  const server = new PGLiteSocketServer({db, port: 0, maxConnections: 10})
  await server.start()
  const query: Query = async <Row extends object>(text: string, values: readonly unknown[] = []) =>
    (await db.query<Row>(text, [...values])).rows
  return {
    query,
    port: Number(server.getServerConn().split(':').at(-1)),
    async fresh() {
      await db.exec(`drop schema public cascade; create schema public; ${SCHEMA}`)
    },
    async stop() {
      await server.stop()
      await db.close()
    },
  }
}

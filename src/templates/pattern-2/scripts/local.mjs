/**
 * npm run local
 *
 * Runs the relay on this machine: PostgreSQL in this process, a row that is written each second, and the topics of `skk local`.
 */
import {spawnSync} from 'node:child_process'
import {existsSync, readFileSync} from 'node:fs'
import {setTimeout as sleep} from 'node:timers/promises'

const skk = (...args) => spawnSync('skk', args, {encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit']})

if (skk('--version').error) {
  console.error('error: skk is not on the PATH\nhint:  Run `npm install --global skk`, then `skk local start`.')
  process.exit(2)
}
const {stdout, status} = skk('local', 'status', '--json')
const {bootstrap} = status === 0 ? JSON.parse(stdout) : {}
if (!bootstrap || !existsSync('dist/handler.mjs')) {
  console.error('error: the stack does not run, or nothing is built\nhint:  Run `skk local start` and `npm run build`.')
  process.exit(2)
}

const {PGlite} = await import('@electric-sql/pglite')
const {PGLiteSocketServer} = await import('@electric-sql/pglite-socket')
const {environment} = JSON.parse(readFileSync('skk.project.json', 'utf8'))
const {MODE, AGGREGATES, QUERY_TABLE, TOPIC, KEY_COLUMN} = environment
const db = await PGlite.create()
const server = new PGLiteSocketServer({db, port: 0, maxConnections: 5})
await server.start()
const own = {DB_HOST: '127.0.0.1', DB_NAME: 'postgres', DB_USER: 'postgres', DB_AUTH: 'none'}
const keys = {AWS_ACCESS_KEY_ID: 'test', AWS_SECRET_ACCESS_KEY: 'test', AWS_REGION: 'us-east-1', SKK_BROKERS: bootstrap}
Object.assign(process.env, environment, own, keys, {DB_PORT: server.getServerConn().split(':').at(-1)})

const quoted = (name) => `"${name.replaceAll('.', '"."')}"`
const table = quoted(QUERY_TABLE.split('.').at(-1))
const key = quoted(KEY_COLUMN)
const [aggregate] = AGGREGATES.split(',')
/** Each mode: what the database needs first, and how a change comes about; it returns the event of the function. */
const modes = {
  outbox: {
    topic: `outbox.event.${aggregate}`,
    sql: () => readFileSync('sql/outbox.sql', 'utf8'),
    async change(n) {
      const text = `INSERT INTO outbox (aggregatetype, aggregateid, type, payload) VALUES ($1, $2, 'Changed', $3)`
      await db.query(text, [aggregate, String(n % 3), {n}])
    },
  },
  query: {
    topic: TOPIC,
    sql: () => {
      process.env.QUERY_TABLE = QUERY_TABLE.split('.').at(-1)
      return `${readFileSync('sql/query.sql', 'utf8')}; CREATE TABLE ${table} (${key} int PRIMARY KEY, n int, updated_at timestamptz)`
    },
    async change(n) {
      const text = `INSERT INTO ${table} VALUES ($1, $2, now()) ON CONFLICT (${key}) DO UPDATE SET n = excluded.n, updated_at = now()`
      await db.query(text, [n % 3, n])
    },
  },
  invoke: {
    topic: TOPIC,
    sql: () => '',
    change: (n) => ({
      op: 'INSERT',
      schema: 'public',
      table: 'orders',
      id: `${n}`,
      atMs: Date.now(),
      after: `{"${KEY_COLUMN}": ${n}}`,
    }),
  },
}
const {topic, sql, change} = modes[MODE]
await db.exec(sql())
skk('topics', 'create', topic, '--context', 'local', '--if-not-exists')
const {handler} = await import('../dist/handler.mjs')
console.error(`a change each second goes to topic "${topic}": \`skk consume ${topic} --context local --follow\`; Ctrl-C ends`)

const ended = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => ended.abort())
for (let n = 1; !ended.signal.aborted; n++) {
  const ends = Date.now() + 30_000
  const context = {awsRequestId: `local-${n}`, getRemainingTimeInMillis: () => ends - Date.now()}
  console.error(JSON.stringify(await handler(await change(n), context)))
  await sleep(1000, undefined, {signal: ended.signal}).catch(() => {})
}
await server.stop()
await db.close()
process.exit(0)

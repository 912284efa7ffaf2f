import {readFileSync} from 'node:fs'

import {PGlite} from '@electric-sql/pglite'
import {PGLiteSocketServer} from '@electric-sql/pglite-socket'

/** The database of `npm run local`: PostgreSQL in this process, with a table that is shown when it ends. */
export async function start() {
  const {topic, environment} = JSON.parse(readFileSync('skk.project.json', 'utf8'))
  const db = await PGlite.create()
  await db.exec(`${readFileSync('schema.sql', 'utf8')}; CREATE TABLE "${topic}" (id text PRIMARY KEY, "order" int, name text)`)
  const server = new PGLiteSocketServer({db, port: 0, maxConnections: 5})
  await server.start()
  const port = server.getServerConn().split(':').at(-1)
  console.error(`table "${topic}" (id text, "order" int, name text) is at postgresql://postgres@127.0.0.1:${port}/postgres`)
  const own = {DB_HOST: '127.0.0.1', DB_PORT: port, DB_NAME: 'postgres', DB_USER: 'postgres', DB_AUTH: 'none'}
  return {
    env: {...environment, ...own, TABLE_FORMAT: '{topic}'},
    async stop() {
      const {rows} = await db.query(`SELECT * FROM "${topic}" ORDER BY id LIMIT 20`)
      console.error(`the table has, of its first 20 rows: ${JSON.stringify(rows)}`)
      await server.stop()
      await db.close()
    },
  }
}

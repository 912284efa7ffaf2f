import assert from 'node:assert/strict'
import {once} from 'node:events'
import {type AddressInfo, createServer} from 'node:net'
import {after, before, describe, it} from 'node:test'

import {PGlite} from '@electric-sql/pglite'
import {PGLiteSocketServer} from '@electric-sql/pglite-socket'

import {readConfig} from '../../src/lib/config.ts'
import {identifier, isFaultOfRow, mayPass, postgres, readDatabaseSettings, sqlStateOf} from '../../src/lib/postgres.ts'

const LONG = {remainingMs: () => 60_000, passed: () => false}

describe('the settings of the database', () => {
  const read = (env: Record<string, string>) => readConfig(env, (from) => readDatabaseSettings(from, env))
  const away = {DB_HOST: 'db.example.com', DB_NAME: 'shop'}

  it('are TLS and a secret beyond this machine', () => {
    const {auth, tls, port} = read({...away, DB_SECRET_ID: 'shop-db'})

    assert.deepEqual([auth, tls, port], ['secret', true, 5432])
    assert.equal(read({DB_HOST: '127.0.0.1', DB_NAME: 'shop', DB_AUTH: 'none', DB_USER: 'me'}).tls, false)
  })

  it('send no password in the clear, and need what their way to log in needs', () => {
    assert.throws(() => read({...away, DB_SECRET_ID: 'shop-db', DB_TLS: 'false'}), /DB_TLS/)
    assert.throws(() => read({...away, DB_AUTH: 'none', DB_USER: 'me'}), /DB_AUTH/)
    assert.throws(() => read(away), /DB_SECRET_ID/)
    assert.throws(() => read({...away, DB_AUTH: 'iam'}), /DB_USER/)
  })
})

describe('an identifier', () => {
  it('means only itself', () => assert.equal(identifier('a"; drop table b; --'), '"a""; drop table b; --"'))
})

describe('the database', () => {
  const server = {port: 0, stop: async () => {}}
  before(async () => {
    const db = await PGlite.create()
    await db.exec('create table one (id int primary key)')
    const socket = new PGLiteSocketServer({db, port: 0, maxConnections: 5})
    await socket.start()
    server.port = Number(socket.getServerConn().split(':').at(-1))
    server.stop = async () => {
      await socket.stop()
      await db.close()
    }
  })
  after(() => server.stop())
  const open = (port = server.port) =>
    postgres({
      host: '127.0.0.1',
      port,
      database: 'postgres',
      user: 'postgres',
      auth: 'none',
      secretId: '',
      tls: false,
      region: '',
    })

  it('keeps what was committed and nothing else', async () => {
    const database = open()
    const inserted = (id: number) =>
      database.transaction(LONG, (query) => query('insert into one values ($1) returning id', [id]))

    assert.deepEqual(await inserted(1), [{id: 1}])
    const failing = database.transaction(LONG, async (query) => {
      await query('insert into one values (2)')
      throw new Error('changed my mind')
    })
    await assert.rejects(failing, /changed my mind/)
    const duplicate = inserted(1).catch((error) => error)
    assert.deepEqual(
      [sqlStateOf(await duplicate), isFaultOfRow(await duplicate), mayPass(await duplicate)],
      ['23505', true, false],
    )
    assert.deepEqual(await database.transaction(LONG, (query) => query('select id from one')), [{id: 1}])
    await database.close()
  })

  it('runs one transaction after the other', async () => {
    const database = open()
    const steps: string[] = []
    const step = (name: string) =>
      database.transaction(LONG, async (query) => {
        steps.push(`${name} begins`)
        await query('select 1')
        steps.push(`${name} ends`)
      })

    await Promise.all([step('a'), step('b')])

    assert.deepEqual(steps, ['a begins', 'a ends', 'b begins', 'b ends'])
    await database.close()
  })

  it('does not wait for a server that takes the connection and says nothing', async () => {
    const silent = createServer().listen(0, '127.0.0.1')
    await once(silent, 'listening')
    const database = open((silent.address() as AddressInfo).port)
    const started = performance.now()

    await assert.rejects(
      database.transaction({remainingMs: () => 300, passed: () => false}, async () => {}),
      /in time/,
    )
    assert.ok(performance.now() - started < 6000)
    silent.close()
    await database.close()
  })

  it('stops waiting at the deadline, and connects anew', async () => {
    const database = open()
    const soon = {remainingMs: () => 500, passed: () => false}

    await assert.rejects(
      database.transaction(soon, () => new Promise(() => {})),
      (error) => mayPass(error) && /in time/.test(String(error)),
    )
    assert.deepEqual(await database.transaction(LONG, (query) => query('select 1 as one')), [{one: 1}])
    await database.close()
  })
})

import {once} from 'node:events'
import {createRequire} from 'node:module'
import {type AddressInfo, createServer, connect as dial} from 'node:net'

import {expect, it, onTestFinished} from 'vitest'

import {installConnectOnce, sharedConnections} from '../../../../src/lib/kafka/overrides/connect-once.js'

it('those who ask for a connection while it is being made get the same socket, and a new one once it is gone', async () => {
  expect(installConnectOnce()).toBe(true)
  expect(sharedConnections()).toBe(2)
  const server = createServer().listen(0, '127.0.0.1')
  onTestFinished(() => void server.close())
  await once(server, 'listening')
  let sockets = 0
  const {port} = server.address() as AddressInfo
  const ConnectionPool = createRequire(import.meta.url)('kafkajs/src/network/connectionPool.js')
  const logger = {namespace: () => logger, debug() {}, error() {}}
  const pool = new ConnectionPool({
    logger,
    host: '127.0.0.1',
    port,
    clientId: 'test',
    connectionTimeout: 5_000,
    requestTimeout: 5_000,
    socketFactory: ({onConnect}: {onConnect(): void}) => {
      sockets++
      return dial(port, '127.0.0.1', onConnect)
    },
  })

  const connections = await Promise.all([pool.getConnection(1), pool.getConnection(1), pool.getConnection(1)])
  expect(sockets).toBe(1)
  expect(new Set(connections).size).toBe(1)

  await connections[0].disconnect()
  await Promise.all([pool.getConnection(1), pool.getConnection(1)])
  expect(sockets).toBe(2)
  await pool.destroy()
})

import {internals} from './override.js'

const FILE = 'src/network/connection.js'
const SHA256 = '2a993b2e74421ca6d846efd59e4ba74b11100dbe7d40d0f52ea3218e917aafdd'

type Connection = {connect(): Promise<unknown>; disconnect(): Promise<unknown>}

let installed = false

/** How many connections to one broker requests may share that are sent at the same time. */
export const sharedConnections = (): 1 | 2 => (installed ? 2 : 1)

/**
 * Stock kafkajs opens a socket for everyone who asks for a connection that is not there yet. It forgets all but the last, and gives up
 * that one too when the broker closes one of the others. Here those who ask meanwhile wait for the same socket.
 * Returns false when kafkajs is not the file that was read; then nothing is changed, and one connection has to do: that one is there
 * before anything is sent.
 */
export function installConnectOnce(): boolean {
  const Connection = internals(FILE, SHA256)
  if (Connection === null) return false
  const {connect, disconnect} = Connection.prototype
  const underWay = new WeakMap<Connection, Promise<unknown>>()
  Connection.prototype.connect = function (this: Connection): Promise<unknown> {
    const known = underWay.get(this)
    if (known !== undefined) return known
    const connecting = connect.call(this).finally(() => underWay.get(this) === connecting && underWay.delete(this))
    underWay.set(this, connecting)
    return connecting
  }
  // What a broker closes while it is being made is disconnected, and never settles.
  Connection.prototype.disconnect = function (this: Connection): Promise<unknown> {
    underWay.delete(this)
    return disconnect.call(this)
  }
  installed = true
  return true
}

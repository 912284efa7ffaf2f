import {internals} from './override.js'

const FILE = 'src/network/connection.js'
const SHA256 = '2a993b2e74421ca6d846efd59e4ba74b11100dbe7d40d0f52ea3218e917aafdd'

type Connection = {chunks: Buffer[]; bytesBuffered: number; processData(data: Buffer): void}

/**
 * Stock kafkajs keeps an empty chunk behind each response, and joins it with the next one: a copy of every byte that is fetched.
 * Returns false when kafkajs is not the file that was read; then nothing is changed.
 */
export function installFrameInOnePiece(): boolean {
  const Connection = internals(FILE, SHA256)
  if (Connection === null) return false
  const {processData} = Connection.prototype
  Connection.prototype.processData = function (this: Connection, data: Buffer): void {
    if (this.bytesBuffered === 0) this.chunks = []
    processData.call(this, data)
  }
  return true
}

import {replaceExports} from './override.js'

const FILE = 'src/protocol/request.js'
const SHA256 = '2270900ca6474026c11957fe71ac586881985460ed2554db22ad8870dcaff634'

/** A request body within bytes that have room before it for the request's header. */
export type InPlace = {bytes: Buffer; start: number; end: number}

type Request = {
  correlationId: number
  clientId: string
  request: {apiKey: number; apiVersion: number; encode(): Promise<{inPlace?: InPlace}>}
}
type CreateRequest = (request: Request) => Promise<{buffer: Buffer}>

/**
 * Stock kafkajs copies the body of a request twice, into buffers that it fills with zeros first; for a batch of a megabyte
 * that takes longer than the rest of sending it. A body that is `inPlace` gets the request's header written before it instead.
 * Has to be installed before kafkajs is loaded. Returns false when kafkajs is not the file that was read; then nothing is
 * changed, and such a body is copied like any other.
 */
export function installRequestInPlace(): boolean {
  return replaceExports<CreateRequest>(FILE, SHA256, (original) => async (request) => {
    const payload = await request.request.encode()
    if (payload.inPlace === undefined) return original({...request, request: {...request.request, encode: async () => payload}})
    return {buffer: framed(payload.inPlace, request)}
  })
}

function framed({bytes, start, end}: InPlace, {correlationId, clientId, request: {apiKey, apiVersion}}: Request): Buffer {
  const nameBytes = Buffer.byteLength(clientId)
  const frameStart = start - 14 - nameBytes
  let at = bytes.writeInt32BE(end - frameStart - 4, frameStart)
  at = bytes.writeInt16BE(apiKey, at)
  at = bytes.writeInt16BE(apiVersion, at)
  at = bytes.writeInt32BE(correlationId, at)
  at = bytes.writeInt16BE(nameBytes, at)
  bytes.write(clientId, at)
  return bytes.subarray(frameStart, end)
}

import type {Readable} from 'node:stream'
import {StringDecoder} from 'node:string_decoder'

/** A line that is longer is cut into several, so that one that never ends does not fill our memory. */
const MAX_LINE = 256 * 1024

/** Calls `onLine` for each line of the stream, the last one too when it has no end. */
export function eachLine(stream: Readable, onLine: (line: string) => void): void {
  const decoder = new StringDecoder('utf8')
  let rest = ''
  stream.on('data', (chunk: Buffer) => {
    const lines = (rest + decoder.write(chunk)).split(/\r?\n/)
    rest = lines.pop()!
    for (const line of lines) onLine(line)
    for (; rest.length > MAX_LINE; rest = rest.slice(MAX_LINE)) onLine(rest.slice(0, MAX_LINE))
  })
  stream.on('end', () => {
    rest += decoder.end()
    if (rest !== '') onLine(rest)
  })
}

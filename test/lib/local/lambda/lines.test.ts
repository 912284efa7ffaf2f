import {PassThrough} from 'node:stream'
import fc from 'fast-check'
import {expect, it} from 'vitest'

import {eachLine} from '../../../../src/lib/local/lambda/lines.js'

async function linesOf(chunks: readonly Buffer[]): Promise<string[]> {
  const stream = new PassThrough()
  const lines: string[] = []
  eachLine(stream, (line) => lines.push(line))
  for (const chunk of chunks) stream.write(chunk)
  stream.end()
  await new Promise((resolve) => stream.once('end', resolve))
  return lines
}

it('are the same however they were cut, also within a character', async () => {
  const bytes = Buffer.from('one\ntwö €\r\n\nlast')

  await fc.assert(
    fc.asyncProperty(fc.array(fc.nat(bytes.length)), async (cuts) => {
      const at = [0, ...cuts.sort((a, b) => a - b), bytes.length]
      const chunks = at.slice(1).map((end, index) => bytes.subarray(at[index], end))
      // A carriage return may be cut off from its newline; then it stays, as on a terminal.
      const lines = (await linesOf(chunks)).map((line) => line.replace(/\r$/, ''))

      expect(lines).toEqual(['one', 'twö €', '', 'last'])
    }),
    {verbose: true},
  )
})

it('that never end are cut', async () => {
  const lines = await linesOf([Buffer.alloc(600_000, 'x')])

  expect(lines.map(({length}) => length)).toEqual([262_144, 262_144, 75_712])
})

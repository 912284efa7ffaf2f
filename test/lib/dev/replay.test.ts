import {mkdtemp, rm, writeFile} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {join} from 'node:path'

import {expect, it, onTestFinished} from 'vitest'

import {readEvents, recordsOf} from '../../../src/lib/dev/replay.js'
import {kafkaEvent, type SourceRecord} from '../../../src/lib/lambda/event.js'

async function file(text: string): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'skk-replay-'))
  onTestFinished(() => rm(dir, {recursive: true}))
  await writeFile(join(dir, 'events'), text)
  return join(dir, 'events')
}

const records: SourceRecord[] = [
  {
    partition: 0,
    offset: 7,
    timestamp: 1545084650987,
    timestampType: 'CREATE_TIME',
    key: Buffer.from([0xff]),
    value: Buffer.from('v'),
    headers: [
      {key: Buffer.from('h'), value: Buffer.from([1, 255])},
      {key: Buffer.from('h'), value: Buffer.from([2])},
    ],
  },
  {partition: 1, offset: 0, timestamp: 0, timestampType: 'LOG_APPEND_TIME', key: null, value: null, headers: []},
]
const event = kafkaEvent({topic: 'orders', eventSourceArn: 'arn', bootstrapServers: 'b:1'}, records)

it('reads one event as a document, and several one per line', async () => {
  expect(await readEvents(await file(JSON.stringify(event, null, 2)))).toEqual([event])
  expect(await readEvents(await file(`${JSON.stringify(event)}\n\n${JSON.stringify(event)}\n`))).toEqual([event, event])
})

it.each(['[1]', 'null', '{"records": 1}', '{"records": {"a-0": 1}}', '{oops'])(
  'names the line that is no event: %s',
  async (line) => {
    const path = await file(`${JSON.stringify(event)}\n${line}\n`)

    await expect(readEvents(path)).rejects.toMatchObject({
      message: `"${path}", line 2, is no event of a Kafka mapping`,
      exitCode: 9,
    })
  },
)

it('knows the records that an event was made of', () => {
  expect(recordsOf(event)).toEqual(records)
})

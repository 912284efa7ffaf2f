/**
 * npm run local
 *
 * Runs the function on this machine: a small table in memory changes each second, and its stream goes to the topic of `skk local`.
 */
import {execFileSync, spawnSync} from 'node:child_process'
import {randomUUID} from 'node:crypto'
import {readFileSync} from 'node:fs'
import {setTimeout as sleep} from 'node:timers/promises'

if (spawnSync('skk', ['--version'], {stdio: 'ignore'}).error) {
  console.error('error: skk is not on the PATH\nhint:  Run `npm install --global skk`, then `skk local start`.')
  process.exit(2)
}

const stack = JSON.parse(execFileSync('skk', ['local', 'env', '--json'], {encoding: 'utf8'}))
const {environment} = JSON.parse(readFileSync('skk.project.json', 'utf8'))
Object.assign(process.env, stack.env, {LOG_LEVEL: 'INFO', ...environment})
Object.assign(process.env, {SKK_BROKERS: stack.bootstrap, ...(stack.ca && {NODE_EXTRA_CA_CERTS: stack.ca})})
await import('../build.mjs')
const {handler} = await import('../dist/handler.mjs')

const [[table, topic]] = Object.entries(JSON.parse(environment.TOPIC_MAP))
execFileSync('skk', ['topics', 'create', topic, '--context', 'local', '--if-not-exists'], {stdio: 'inherit'})
const items = new Map()
let sequence = 0

/** The record of a stream: an item is new, changes, and goes in the end. */
function change() {
  const id = `item-${sequence % 3}`
  const OldImage = items.get(id)
  const Keys = {id: {S: id}}
  const NewImage = OldImage && sequence % 4 === 0 ? undefined : {...Keys, count: {N: String(sequence)}}
  if (NewImage) items.set(id, NewImage)
  else items.delete(id)
  const images = {...(OldImage && {OldImage}), ...(NewImage && {NewImage})}
  return {
    eventID: randomUUID(),
    eventName: NewImage ? (OldImage ? 'MODIFY' : 'INSERT') : 'REMOVE',
    eventSource: 'aws:dynamodb',
    eventSourceARN: `arn:aws:dynamodb:us-east-1:123456789012:table/${table}/stream/2026-11-20T10:00:00.000`,
    dynamodb: {
      ApproximateCreationDateTime: Math.floor(Date.now() / 1000),
      Keys,
      ...images,
      SequenceNumber: String(++sequence).padStart(21, '0'),
      StreamViewType: 'NEW_AND_OLD_IMAGES',
    },
  }
}

console.error(`a change each second goes to topic "${topic}": \`skk consume ${topic} --context local --follow\`; Ctrl-C ends`)
const ended = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => ended.abort())
while (!ended.signal.aborted) {
  const record = change()
  const ends = Date.now() + 30_000
  const context = {awsRequestId: record.eventID, getRemainingTimeInMillis: () => ends - Date.now()}
  const {batchItemFailures} = await handler({Records: [record]}, context)
  console.error(`${record.eventName} ${record.dynamodb.Keys.id.S}: ${batchItemFailures.length === 0 ? 'stored' : 'failed'}`)
  await sleep(1000, undefined, {signal: ended.signal}).catch(() => {})
}
process.exit(0)

/**
 * npm run local
 *
 * Runs the function on this machine: a message each second, made by scripts/message.mjs, goes to the topic of `skk local`; dead
 * letters are printed.
 */
import {spawnSync} from 'node:child_process'
import {createHash} from 'node:crypto'
import {existsSync, readFileSync} from 'node:fs'
import {createServer} from 'node:http'
import {setTimeout as sleep} from 'node:timers/promises'

import {eventOf} from './message.mjs'

const skk = (...args) => spawnSync('skk', args, {encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit']})

if (skk('--version').error) {
  console.error('error: skk is not on the PATH\nhint:  Run `npm install --global skk`, then `skk local start`.')
  process.exit(2)
}
const {stdout, status} = skk('local', 'status', '--json')
const {bootstrap} = status === 0 ? JSON.parse(stdout) : {}
if (!bootstrap || !existsSync('dist/handler.mjs')) {
  console.error('error: the stack does not run, or nothing is built\nhint:  Run `skk local start` and `npm run build`.')
  process.exit(2)
}

const queue = createServer(async (request, response) => {
  const {MessageBody} = JSON.parse(Buffer.concat(await request.toArray()).toString())
  console.error(`dead letter ${MessageBody}`)
  response.setHeader('content-type', 'application/x-amz-json-1.0')
  response.end(JSON.stringify({MessageId: '1', MD5OfMessageBody: createHash('md5').update(MessageBody).digest('hex')}))
})
await new Promise((resolve) => queue.listen(0, '127.0.0.1', resolve))

const {environment} = JSON.parse(readFileSync('skk.project.json', 'utf8'))
const keys = {AWS_ACCESS_KEY_ID: 'test', AWS_SECRET_ACCESS_KEY: 'test', AWS_REGION: 'us-east-1'}
const DLQ_URL = `http://127.0.0.1:${queue.address().port}/000000000000/dead-letters`
Object.assign(process.env, environment, keys, {SKK_BROKERS: bootstrap, DLQ_URL})
const {TOPIC} = environment
skk('topics', 'create', TOPIC, '--context', 'local', '--if-not-exists')
const {handler} = await import('../dist/handler.mjs')
console.error(`a message each second goes to topic "${TOPIC}": \`skk consume ${TOPIC} --context local --follow\`; Ctrl-C ends`)

const ended = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => ended.abort())
for (let n = 1; !ended.signal.aborted; n++) {
  const ends = Date.now() + 30_000
  const context = {awsRequestId: `local-${n}`, getRemainingTimeInMillis: () => ends - Date.now()}
  console.error(JSON.stringify((await handler(eventOf(n), context)) ?? 'done'))
  await sleep(1000, undefined, {signal: ended.signal}).catch(() => {})
}
process.exit(0)

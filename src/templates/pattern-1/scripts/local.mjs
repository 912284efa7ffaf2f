/**
 * npm run local
 *
 * A web server in the place of API Gateway: each request becomes an event, and the built function stores its records in `skk local`.
 */
import {execFileSync, spawnSync} from 'node:child_process'
import {readFileSync} from 'node:fs'
import {createServer} from 'node:http'

if (spawnSync('skk', ['--version'], {stdio: 'ignore'}).error) {
  console.error('error: skk is not on the PATH\nhint:  Run `npm install --global skk`, then `skk local start`.')
  process.exit(2)
}

const stack = JSON.parse(execFileSync('skk', ['local', 'env', '--json'], {encoding: 'utf8'}))
const {environment} = JSON.parse(readFileSync('skk.project.json', 'utf8'))
Object.assign(process.env, stack.env, {LOG_LEVEL: 'INFO', ...environment})
// Who may ask is decided in front of the function, where nothing is here.
Object.assign(process.env, {ACCESS: 'public', SKK_BROKERS: stack.bootstrap, ...(stack.ca && {NODE_EXTRA_CA_CERTS: stack.ca})})
await import('../build.mjs')
const {handler} = await import('../dist/handler.mjs')

const TIMEOUT_MS = 20_000
let count = 0

const server = createServer(async (request, response) => {
  const {pathname, search} = new URL(request.url, 'http://localhost')
  const ends = Date.now() + TIMEOUT_MS
  const event = {
    version: '2.0',
    rawPath: pathname,
    rawQueryString: search.slice(1),
    headers: request.headers,
    requestContext: {http: {method: request.method, path: pathname}},
    body: Buffer.concat(await request.toArray()).toString('base64'),
    isBase64Encoded: true,
  }
  const context = {awsRequestId: String(++count), getRemainingTimeInMillis: () => ends - Date.now()}
  const {statusCode, headers, body} = await handler(event, context)
  response.writeHead(statusCode, headers).end(body)
})
server.listen(Number(process.env.PORT ?? 8080), '127.0.0.1', () => {
  const {port} = server.address()
  const [topic] = environment.TOPICS.split(',')
  const body = `'{"records":[{"key":"a","value":{"order":1}}]}'`
  console.error(`try: curl -H 'content-type: application/json' -d ${body} http://127.0.0.1:${port}/topics/${topic}`)
})
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(0))

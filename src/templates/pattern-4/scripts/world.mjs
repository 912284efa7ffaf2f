import {createServer} from 'node:http'

/** The endpoint of `npm run local`: a web server that prints what it is sent and takes everything. */
export async function start() {
  const server = createServer(async (request, response) => {
    const body = Buffer.concat(await request.toArray())
    console.error(`${request.method} ${request.url} ${request.headers['idempotency-key']} ${JSON.stringify(body.toString())}`)
    response.writeHead(204).end()
  })
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  const env = {ENDPOINT_URL: `http://127.0.0.1:${server.address().port}/`, ALLOWED_HOSTS: '127.0.0.1', AUTH: 'none'}
  return {
    env,
    stop() {
      server.closeAllConnections()
      server.close()
    },
  }
}

import {createServer, type IncomingMessage, type ServerResponse} from 'node:http'
import type {AddressInfo} from 'node:net'
import type {TestContext} from 'node:test'

export type Seen = {method: string; path: string; headers: IncomingMessage['headers']; body: string}

/** A web server that answers as `script` says; what it was asked is in `seen`. It is gone when the test ends. */
export async function endpoint(
  test: TestContext,
  script: (seen: Seen, count: number, response: ServerResponse) => number | undefined,
): Promise<{url: string; seen: Seen[]; connections: () => number}> {
  const seen: Seen[] = []
  let connections = 0
  const server = createServer(async (request, response) => {
    const body = Buffer.concat(await request.toArray()).toString('latin1')
    const one = {method: request.method!, path: request.url!, headers: request.headers, body}
    seen.push(one)
    const status = script(one, seen.length, response)
    if (status !== undefined) response.writeHead(status).end(status === 422 ? 'no such customer' : 'done')
  })
  server.on('connection', () => connections++)
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
  test.after(() => {
    server.closeAllConnections()
    server.close()
  })
  return {url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/orders`, seen, connections: () => connections}
}

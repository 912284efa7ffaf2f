import {createServer, type IncomingHttpHeaders, type ServerResponse} from 'node:http'
import type {AddressInfo} from 'node:net'

export type Asked = {body: string; headers: IncomingHttpHeaders; path: string}

/** How it answers: a status, or what the script does itself; undefined is no answer at all. */
export type Script = (asked: Asked, before: readonly Asked[], response: ServerResponse) => number | undefined

/** A web server that answers as its script says, which may be changed while it runs. */
export async function webServer(script: Script) {
  const asked: Asked[] = []
  const server = createServer(async (request, response) => {
    const body = Buffer.concat(await request.toArray()).toString()
    const one = {body, headers: request.headers, path: request.url!}
    const before = [...asked]
    asked.push(one)
    const status = web.script(one, before, response)
    if (status !== undefined) response.writeHead(status).end()
  })
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve)
  })
  const web = {
    script,
    asked,
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    bodies: () => asked.map(({body}) => body),
    async stop() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
  return web
}

import {once} from 'node:events'
import {request as ask, createServer} from 'node:http'
import type {AddressInfo} from 'node:net'

/** A request by its action, or by its method and path: `UpdateItem`, `PUT /bucket/key`. */
type Hook = (what: string) => Promise<'drop' | undefined> | 'drop' | undefined

export type AwsProxy = {
  url: string
  /** Asked before a request is passed on, and before its answer is; may drop the connection instead. */
  before: Hook
  after: Hook
  stop(): Promise<void>
}

/** Stands between a function and moto. */
export async function startAwsProxy(target: string): Promise<AwsProxy> {
  const {hostname, port} = new URL(target)
  const server = createServer(async (request, response) => {
    const body = Buffer.concat(await request.toArray())
    const action = String(request.headers['x-amz-target'] ?? '').split('.')[1]
    const what = action ?? `${request.method} ${decodeURIComponent(request.url!.split('?')[0]!)}`
    if ((await proxy.before(what)) === 'drop') return void request.socket.destroy()
    const {method, url: path, headers} = request
    const passed = ask({hostname, port, method, path, headers}).end(body)
    try {
      const [answer] = await once(passed, 'response')
      const answered = Buffer.concat(await answer.toArray())
      if ((await proxy.after(what)) === 'drop') return void request.socket.destroy()
      response.writeHead(answer.statusCode, answer.headers).end(answered)
    } catch {
      // moto is gone: so is the connection.
      request.socket.destroy()
    }
  })
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve)
  })
  const proxy: AwsProxy = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    before: () => undefined,
    after: () => undefined,
    async stop() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
  return proxy
}

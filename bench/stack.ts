import {createServer} from 'node:net'
import {join} from 'node:path'

import {end, expectSuccess, firstJson, start} from '../test/engines/processes.js'
import {emptyHome} from '../test/engines/skk.js'
import {NODE} from './rounds.js'

export const CLI = join(import.meta.dirname, '../bin/run.js')

export type Stack = {
  pid: number
  plaintextBootstrap: string
  createTopic(name: string, partitions?: number): Promise<void>
  deleteTopic(name: string): Promise<void>
  stop(): Promise<void>
}

/** `skk local` on the Node that is measured, on free ports and in a home of its own. Topics have four partitions unless it is said otherwise. */
export async function startStack(): Promise<Stack> {
  const home = await emptyHome()
  const ports = ['--port', '0', '--plaintext-port', '0', '--http-port', '0']
  const child = start(NODE, [CLI, 'local', 'start', '--foreground', '--json', ...ports], {env: home.env})
  const {pid, plaintextBootstrap} = await firstJson(child)
  return {
    pid,
    plaintextBootstrap,
    ...topicsOf(plaintextBootstrap, home.env),
    async stop() {
      await end(child)
      await home.remove()
    },
  }
}

/** Makes and deletes topics of brokers without authentication. */
export function topicsOf(bootstrap: string, env: NodeJS.ProcessEnv = {}): Pick<Stack, 'createTopic' | 'deleteTopic'> {
  const topics = async (...args: string[]): Promise<void> => {
    await expectSuccess(NODE, [CLI, 'topics', ...args, '--bootstrap', bootstrap, '--auth', 'none'], {env})
  }
  return {
    createTopic: (name, partitions = 4) => topics('create', name, '--partitions', String(partitions)),
    deleteTopic: (name) => topics('delete', name, '--yes'),
  }
}

/** A port that nobody listens on now. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const {port} = server.address() as {port: number}
      server.close(() => resolve(port))
    })
  })
}

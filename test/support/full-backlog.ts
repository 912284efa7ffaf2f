import {type ChildProcess, spawn} from 'node:child_process'
import {once} from 'node:events'
import net from 'node:net'

import {onTestFinished} from 'vitest'

/** A listener whose queue of connections is full: the next one is never answered. Its process sleeps and accepts nothing. */
export async function fullBacklog(): Promise<number> {
  const sleeping = `
    const server = require('node:net').createServer().listen({port: 0, host: '127.0.0.1', backlog: 1}, () => {
      require('node:fs').writeSync(1, String(server.address().port))
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)
    })`
  const child: ChildProcess = spawn(process.execPath, ['-e', sleeping], {stdio: ['ignore', 'pipe', 'inherit']})
  onTestFinished(() => void child.kill('SIGKILL'))
  const [text] = await once(child.stdout!, 'data')
  const port = Number(text)
  const fillers = Array.from({length: 6}, () => net.connect(port, '127.0.0.1').on('error', () => {}))
  onTestFinished(() => {
    for (const filler of fillers) filler.destroy()
  })
  await new Promise((resolve) => setTimeout(resolve, 100))
  return port
}

import {spawn} from 'node:child_process'
import {readFile} from 'node:fs/promises'
import {join} from 'node:path'

import {installKcat, installPython} from '../test/engines/install.js'
import {fileOfLines} from './lines.js'
import {alternate, type Figure, firstLine, ratio, timed} from './rounds.js'
import {startStack} from './stack.js'

const ROUNDS = 5

/** kcat producing the file to four partitions of `skk local`, and of librdkafka's mock cluster. */
export async function producing(): Promise<Figure[]> {
  await installKcat()
  const python = join(await installPython(), 'python')
  const mock = spawn(python, [join(import.meta.dirname, 'mock-cluster.py')], {stdio: ['pipe', 'pipe', 'inherit']})
  const local = await startStack()
  const file = await fileOfLines()
  try {
    const mockBootstrap = await firstLine(mock)
    const produce = (bootstrap: string, topic: string) => timed('kcat', ['-b', bootstrap, '-P', '-t', topic, '-l', file.path])
    let round = 0
    const toSkk = async (): Promise<number> => {
      const topic = `orders-${round++}`
      await local.createTopic(topic)
      const ms = await produce(local.plaintextBootstrap, topic)
      await local.deleteTopic(topic)
      return ms
    }
    // The mock makes a topic of four partitions when it is asked for one.
    const toMock = (): Promise<number> => produce(mockBootstrap, 'orders')
    await toMock()
    const [measured = [], yardstick = []] = await alternate(ROUNDS, [toSkk, toMock])
    const status = await readFile(`/proc/${local.pid}/status`, 'utf8')
    const peakMiB = Number(/VmHWM:\s+(\d+)/.exec(status)?.[1]) / 1024
    return [
      ratio('kcat -P of 1,000,000 lines: skk local / mock cluster', 2.5, measured, yardstick),
      {what: 'memory of skk local after that, at its peak', figure: `${peakMiB.toFixed(0)} MiB`, goal: '<= 200', details: ''},
    ]
  } finally {
    mock.stdin.end()
    await Promise.all([local.stop(), file.remove()])
  }
}

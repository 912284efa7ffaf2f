import {installKafka, installKcat} from '../test/engines/install.js'
import {javaArgs} from '../test/engines/java.js'
import {expectSuccess} from '../test/engines/processes.js'
import {startRealKafka} from '../test/engines/real-kafka.js'
import {fileOfLines, LINES} from './lines.js'
import {alternate, type Figure, ratio, timed} from './rounds.js'
import {startStack} from './stack.js'

const ROUNDS = 5
const TOPIC = 'orders'

/** As kcat reads fastest from either. */
export const TUNED = [
  'fetch.wait.max.ms=5',
  'fetch.message.max.bytes=4194304',
  'queued.min.messages=2000000',
  'queued.max.messages.kbytes=1048576',
]

/** kcat consuming a million lines in four partitions from `skk local`, and from Apache Kafka. */
export async function consuming(): Promise<Figure[]> {
  await installKcat()
  const kafka = await startRealKafka()
  const local = await startStack()
  const file = await fileOfLines()
  try {
    const jars = await installKafka('3.9')
    const create = ['--bootstrap-server', kafka.bootstrap, '--create', '--topic', TOPIC, '--partitions', '4']
    await expectSuccess('java', [...javaArgs(jars), 'org.apache.kafka.tools.TopicCommand', ...create])
    await local.createTopic(TOPIC)
    for (const bootstrap of [kafka.bootstrap, local.plaintextBootstrap]) {
      await timed('kcat', ['-b', bootstrap, '-P', '-t', TOPIC, '-l', file.path])
    }
    const options = TUNED.flatMap((option) => ['-X', option])
    const consume = (bootstrap: string) => (): Promise<number> =>
      timed('kcat', ['-b', bootstrap, '-C', '-t', TOPIC, '-o', 'beginning', '-c', String(LINES), '-e', '-q', ...options])
    const [measured = [], yardstick = []] = await alternate(ROUNDS, [consume(local.plaintextBootstrap), consume(kafka.bootstrap)])
    return [ratio('kcat -C of 1,000,000 lines: skk local / Apache Kafka 3.9', 2, measured, yardstick)]
  } finally {
    await Promise.all([local.stop(), kafka.stop(), file.remove()])
  }
}

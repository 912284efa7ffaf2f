import {mkdtemp, readFile, rm} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {join} from 'node:path'

import {describe, expect, it, onTestFinished} from 'vitest'

import type {SkkError} from '../../../../src/lib/errors.js'
import {withCluster} from '../../../../src/lib/kafka/client.js'
import {values} from '../../../../src/lib/kafka/consume/format.js'
import {type ConsumeOptions, consume} from '../../../../src/lib/kafka/consume/run.js'
import {createTopics} from '../../../../src/lib/kafka/topics.js'
import type {Local} from '../../../../src/lib/local/index.js'
import {stack} from '../../../support/stack.js'
import {chaos, plaintext, work} from '../cluster-fixture.js'
import {numbers, produceText, TOPIC} from '../records-fixture.js'

async function numbered(count: number): Promise<{local: Local; directory: string}> {
  const directory = await mkdtemp(join(tmpdir(), 'skk-run-'))
  onTestFinished(() => rm(directory, {recursive: true, force: true}))
  const local = await stack()
  await work(plaintext(local), async (cluster) => {
    const options = {dryRun: false, timeoutMs: 5_000}
    await createTopics(cluster, [{name: TOPIC, partitions: 1, replicationFactor: 3, configs: {}}], options)
    await produceText(cluster, numbers(count))
  })
  return {local, directory}
}

const options = (given: Partial<ConsumeOptions>): ConsumeOptions => ({
  topic: TOPIC,
  partitions: null,
  from: {kind: 'beginning'},
  to: null,
  follow: false,
  format: values('string', Buffer.from('\n')),
  filter: null,
  limit: Number.POSITIVE_INFINITY,
  destination: {shape: ''},
  timeoutMs: 1_000,
  signal: new AbortController().signal,
  onEnd() {},
  ...given,
})

describe('consuming into a file', () => {
  it('whose brokers are gone for good is exit 5, with a checkpoint from which the rest is read', async () => {
    const {local, directory} = await numbered(1_000)
    const way = await chaos()
    const [outputFile, checkpoint] = [join(directory, 'out'), join(directory, 'checkpoint')]
    const destination = {shape: '', outputFile, checkpoint}

    const counts: {written: number}[] = []
    const onEnd = (ended: {written: number}): number => counts.push(ended)
    const failure: SkkError = await withCluster(
      {...plaintext(local), timeoutMs: 1_000},
      (cluster, client) => {
        const filter = (): boolean => {
          way.bringDown()
          return true
        }
        return consume(cluster, client, options({destination, filter, follow: true, patienceMs: 1_500, onEnd}))
      },
      way.connect,
    ).catch((error) => error)
    const saved = JSON.parse(await readFile(checkpoint, 'utf8'))
    await work(plaintext(local), (cluster) => produceText(cluster, numbers(500, 1_000)))
    await withCluster(plaintext(local), (cluster, client) => consume(cluster, client, options({destination})))

    expect(failure).toMatchObject({exitCode: 5})
    expect(counts).toEqual([{scanned: 1_000, written: 1_000}])
    expect(saved).toMatchObject({topic: TOPIC, offsets: {0: 1_000}})
    expect(await readFile(outputFile, 'utf8')).toBe(numbers(1_500))
  })

  it('has in the file what was written before it failed, in whole lines', async () => {
    const {local, directory} = await numbered(1_000)
    const outputFile = join(directory, 'out')
    const format = {
      write(out: {text(text: string): void}, _: Buffer, {offset}: {offset: number}) {
        if (offset === 999) throw new Error('as a broken batch')
        out.text(`${offset}\n`)
      },
    }

    const reading = withCluster(plaintext(local), (cluster, client) =>
      consume(cluster, client, options({destination: {shape: '', outputFile}, format})),
    )

    await expect(reading).rejects.toThrow('as a broken batch')
    expect(await readFile(outputFile, 'utf8')).toMatch(/^(\d+\n)*$/)
  })
})

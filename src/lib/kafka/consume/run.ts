import type {Client} from '../client.js'
import {anyBroker, type Cluster} from '../cluster.js'
import {PREPARE_MS, patiently} from '../patience.js'
import {metadata} from '../requests/metadata.js'
import {type Checkpoint, openCheckpoint} from './checkpoint.js'
import {type FetchLoopOptions, fetchSpans} from './fetch-loop.js'
import type {RecordFilter} from './filter.js'
import type {RecordFormat} from './format.js'
import {type GroupOptions, readInGroup} from './group.js'
import {fileOutput, type Output, standardOutput} from './output.js'
import {type PlanOptions, planSpans} from './plan.js'
import {createSink, type Sink} from './sink.js'

const CHECKPOINT_EVERY_MS = 1_000

/** Where the records go: standard output, unless there is a file. */
type Destination = {
  outputFile?: string | undefined
  /** Kept in step with the output file. */
  checkpoint?: string | undefined
  /** How lines are chosen and written, as text; a checkpoint goes on only with the same. */
  shape: string
}

export type ConsumeOptions = Omit<PlanOptions, 'readCommitted' | 'resume'> &
  Omit<FetchLoopOptions, 'readCommitted' | 'onBatch' | 'onAnswer'> &
  Pick<GroupOptions, 'onUncommitted'> & {
    group?: string | undefined
    format: RecordFormat
    filter: RecordFilter | null
    /** Records to be written at most. */
    limit: number
    destination: Destination
    /** Told how many records were looked at and written, at the end, however it ends. */
    onEnd(counts: {scanned: number; written: number}): void
  }

/**
 * Reads what is asked for and writes it, from the committed records only. Resolves when all is written, on abort too. Throws as
 * `planSpans`, `fetchSpans`, `openCheckpoint` and the output do; what was written before is then still complete, and in the checkpoint.
 */
export async function consume(cluster: Cluster, client: Client, given: ConsumeOptions): Promise<void> {
  const options = {...given, readCommitted: true}
  const checkpoint = await checkpointOf(cluster, options)
  const output = checkpoint?.output ?? (await outputOf(options))
  try {
    const {topic, partitions, from, to, follow, onGap, onPastEnd, onOpenEnd} = options
    const plan = {
      topic,
      partitions,
      from,
      to,
      follow,
      readCommitted: true,
      ...(onGap && {onGap}),
      ...(onPastEnd && {onPastEnd}),
      ...(onOpenEnd && {onOpenEnd}),
    }
    const resume = checkpoint && {resume: checkpoint.offsets}
    const spans = await patiently(cluster, patienceOf(options), () => planSpans(cluster, {...plan, ...resume}))
    await checkpoint?.save(new Map(spans.map(({partition, position}) => [partition, position])))
    const sink = createSink({...options, output})
    try {
      if (options.group !== undefined) {
        // A range that ends needs no further assignment when it has.
        await readInGroup(cluster, client, {...options, group: options.group, sink, spans, follow: follow && to === null})
      } else await fetchSpans(cluster, spans, {...options, onBatch: sink.take, onAnswer: afterAnswer(sink, checkpoint)})
    } finally {
      await close(sink, checkpoint).finally(() => options.onEnd(sink.counts()))
    }
  } finally {
    await (checkpoint ?? output).close()
  }
}

const patienceOf = ({patienceMs = PREPARE_MS}: ConsumeOptions): number => Math.min(PREPARE_MS, patienceMs)

async function checkpointOf(cluster: Cluster, options: ConsumeOptions): Promise<Checkpoint | null> {
  const {topic, destination} = options
  const {checkpoint, outputFile, shape} = destination
  if (checkpoint === undefined || outputFile === undefined) return null
  const {clusterId} = await patiently(cluster, patienceOf(options), async () => metadata(await anyBroker(cluster), [topic]))
  return openCheckpoint(checkpoint, outputFile, {cluster: clusterId, topic, shape})
}

const outputOf = async ({destination, signal}: ConsumeOptions): Promise<Output> =>
  destination.outputFile === undefined ? standardOutput(signal) : fileOutput(destination.outputFile)

/** Every answer's records go out at once; a checkpoint costs several syncs, and is made once a second. */
function afterAnswer(sink: Sink, checkpoint: Checkpoint | null): () => Promise<void> {
  let last = Date.now()
  return async () => {
    await sink.push()
    if (!checkpoint || Date.now() - last < CHECKPOINT_EVERY_MS) return
    await sink.flush()
    await checkpoint.save(sink.progress())
    last = Date.now()
  }
}

async function close(sink: Sink, checkpoint: Checkpoint | null): Promise<void> {
  // Where the output fails, what it took before is still to be gone on from.
  await sink.flush().finally(() => checkpoint?.save(sink.progress()))
}

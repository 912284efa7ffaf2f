import {compress} from '../../records/compression.js'
import type {ProduceReport} from './run.js'

/** From so many bytes on it is worth saying what compression would have saved. */
const LARGE_BYTES = 32 * 1024 * 1024

/** After a large load without compression: what zstd would have made of it, judged by a sample. Null for a small one. */
export async function savings({sample, partitions}: Pick<ProduceReport, 'sample' | 'partitions'>): Promise<string | null> {
  const bytes = [...partitions.values()].reduce((sum, partition) => sum + partition.bytes, 0)
  if (sample === null || bytes < LARGE_BYTES) return null
  const part = (await compress('zstd', sample)).length / sample.length
  if (part > 0.9) return null
  return `sent ${megabytes(bytes)} MB; \`--compression zstd\` would have made about ${megabytes(bytes * part)} MB of it`
}

const megabytes = (bytes: number): string => (bytes / 1_000_000).toFixed(0)

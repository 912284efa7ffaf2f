import {FilePool} from './file-pool.js'
import {datasync, type Write, write} from './files.js'

export type LogOptions = {
  /** A segment that would grow above this is closed and another one begun. Default 64 MiB. */
  segmentBytes?: number
  /** Whether an append resolves only when its bytes are on the disk itself. Default false: they survive the process, not the machine. */
  fsync?: boolean
  /** Written into every batch. Default 0. */
  leaderEpoch?: number
  /** How long compaction keeps tombstones: `delete.retention.ms`. Default a day. */
  deleteRetentionMs?: number
  /** How many keys compaction keeps in memory at a time. Default 250,000, some 50 MB with long keys. */
  compactionKeys?: number
  /** Shared by the logs of a process. */
  files?: FilePool
  /** Epoch milliseconds. */
  now?: () => number
  /** Where a test injects a full disk. */
  write?: Write
  /** How full segments reach the disk: where a test injects a slow one. */
  datasync?: (descriptor: number) => Promise<void>
}

export const DEFAULTS: Required<LogOptions> = {
  segmentBytes: 64 * 1024 * 1024,
  fsync: false,
  leaderEpoch: 0,
  deleteRetentionMs: 24 * 60 * 60 * 1000,
  compactionKeys: 250_000,
  files: new FilePool(),
  now: Date.now,
  write,
  datasync,
}

export type ReadOptions = {
  /** Whether the first batch comes even if it is larger than the maximum. */
  atLeastOneBatch: boolean
  /** Makes a buffer of so many bytes; `Buffer.allocUnsafe` if it is left out. */
  allocate?(bytes: number): Buffer
}

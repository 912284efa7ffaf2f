import {readFile} from 'node:fs/promises'

import {crc32c} from '../../../records/crc32c.js'
import {replaceFile} from './files.js'
import type {Producer} from './producer-states.js'

/** What a partition's directory tells beyond its batches. */
export type Checkpoint = {
  logStartOffset: number
  /** The offset up to which `producers` is complete. */
  endOffset: number
  /** Segments by base offset, and how many of their bytes are checked and on the disk. */
  verified: [baseOffset: number, size: number][]
  producers: [producerId: number, producer: Producer][]
}

/** With the version of the format. */
const HEADING = 'skk log checkpoint 1 '

const NONE: Checkpoint = {logStartOffset: 0, endOffset: 0, verified: [], producers: []}

/** Resolves when the checkpoint is on the disk: a line with the checksum of the next, which is JSON. */
export async function writeCheckpoint(path: string, checkpoint: Checkpoint): Promise<void> {
  const json = Buffer.from(JSON.stringify(checkpoint))
  await replaceFile(path, [Buffer.from(`${HEADING}${crc32c(json)}\n`), json])
}

/** The last checkpoint that was written. An empty one when there is none or it is damaged: a log must open all the same. */
export async function readCheckpoint(path: string): Promise<Checkpoint> {
  const bytes = await readFile(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return Buffer.alloc(0)
    throw error
  })
  const json = bytes.subarray(bytes.indexOf('\n') + 1)
  const heading = bytes.subarray(0, bytes.length - json.length).toString('latin1')
  return heading === `${HEADING}${crc32c(json)}\n` ? JSON.parse(json.toString()) : NONE
}

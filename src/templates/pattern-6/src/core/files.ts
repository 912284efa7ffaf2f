import {type DirectorySettings, directories} from './directory.ts'
import type {Row} from './row.ts'

/** A file that is to be written: rows of one partition, in the order of their offsets. */
export type File = {
  key: string
  rows: Row[]
  /** Whether these are records that could not be placed. */
  refused: boolean
}

/** Of one plan. An item of DynamoDB has 400 KB at most: room for the names of four hundred files, of which S3 allows a kilobyte. */
export const MOST_FILES = 190

export type Plan = {
  files: File[]
  refused: {row: Row; reason: string}[]
  /** The offset up to which the plan goes. */
  last: number
}

export type PlanOptions = {
  /** Whether rows without a value are left out. */
  skipNulls: boolean
}

/** Says which files rows of one partition make; not more than fit, so that the rest needs another plan. */
export type Planner = (rows: readonly Row[]) => Plan

/**
 * A file for each directory, named by its first offset. Whatever the bounds of a batch are, the first offset of a directory after
 * all that was written before is the same each time, and so is the name of its file.
 */
export function byDirectory(settings: DirectorySettings, extension: string, {skipNulls}: PlanOptions): Planner {
  const placed = directories(settings)
  return (rows) => {
    const files = new Map<string, File>()
    const plan: Plan = {files: [], refused: [], last: -1}
    for (const row of rows) {
      if (!skipNulls || row.value !== null) {
        const {directory, refused} = placed(row)
        const file = files.get(directory)
        if (!file && files.size === MOST_FILES) break
        if (file) file.rows.push(row)
        else files.set(directory, {key: keyOf(directory, row, '', extension), rows: [row], refused: refused !== undefined})
        if (refused !== undefined) plan.refused.push({row, reason: refused})
      }
      plan.last = row.offset
    }
    plan.files = [...files.values()]
    return plan
  }
}

/**
 * One file, in the directory of its first row, and one for what was refused. Named by its first and last offset: a batch with other
 * bounds is another file, so that none is ever replaced by one that has less.
 */
export function byBatch(settings: DirectorySettings, extension: string, {skipNulls}: PlanOptions): Planner {
  const placed = directories(settings)
  return (rows) => {
    const last = rows.at(-1)!.offset
    const all = rows.filter(({value}) => !skipNulls || value !== null).map((row) => ({row, ...placed(row)}))
    const good = all.filter(({refused}) => refused === undefined)
    const bad = all.filter(({refused}) => refused !== undefined)
    const files = [good, bad]
      .filter((some) => some.length > 0)
      .map((some) => ({
        key: keyOf(some[0]!.directory, rows[0]!, `-${padded(last)}`, extension),
        rows: some.map(({row}) => row),
        refused: some === bad,
      }))
    return {files, refused: bad.map(({row, refused}) => ({row, reason: refused!})), last}
  }
}

const keyOf = (directory: string, {topic, partition, offset}: Row, rest: string, extension: string): string =>
  `${directory}/${topic}+${partition}+${padded(offset)}${rest}.${extension}`

/** In the order of offsets is in the order of names. */
const padded = (offset: number): string => String(offset).padStart(20, '0')

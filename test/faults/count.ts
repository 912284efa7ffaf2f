import {runForBytes} from '../engines/processes.js'

/** A record as kcat tells it. */
export type Counted = {partition: number; offset: number; key: string; value: string}

/** Every record of a topic, read by kcat with all checksums checked, in the order of partitions and offsets. */
export async function readWithKcat(bootstrap: string, topic: string): Promise<Counted[]> {
  const args = ['-b', bootstrap, '-C', '-t', topic, '-o', 'beginning', '-e', '-q', '-X', 'check.crcs=true', '-f', '%p %o %k %s\n']
  const {code, stdout, stderr} = await runForBytes('kcat', args)
  if (code !== 0) throw new Error(`kcat: exit ${code}\n${stderr}`)
  return stdout
    .toString()
    .split('\n')
    .slice(0, -1)
    .map((line) => {
      const [partition, offset, key, ...value] = line.split(' ')
      return {partition: Number(partition), offset: Number(offset), key: key!, value: value.join(' ')}
    })
    .sort((a, b) => a.partition - b.partition || a.offset - b.offset)
}

export type Verdict = {stored: number; lost: number; duplicated: number; reordered: number}

/**
 * What became of values that are whole numbers from 0 to just before `sent`, written in their order. Records with a key keep it within
 * the key; those without keep it within their partition, but not when a run was `resumed`: what it had left out comes last.
 */
export function judge(records: readonly Counted[], sent: number, {resumed = false} = {}): Verdict {
  const times = new Uint32Array(sent)
  const last = new Map<string, number>()
  let reordered = 0
  for (const {partition, key, value} of records) {
    const number = Number(value)
    times[number]! += 1
    const line = key === '' ? `partition ${partition}` : key
    // A duplicate that is in its place is counted as such, not as out of order.
    if (number < (last.get(line) ?? -1) && !(resumed && key === '')) reordered += 1
    last.set(line, Math.max(number, last.get(line) ?? -1))
  }
  let [lost, duplicated] = [0, 0]
  for (const count of times) {
    if (count === 0) lost += 1
    else duplicated += count - 1
  }
  return {stored: records.length, lost, duplicated, reordered}
}

import {once} from 'node:events'
import {createWriteStream} from 'node:fs'
import {mkdtemp, rm} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {join} from 'node:path'

export const LINES = 1_000_000

/** A file of a million orders, 116 MB, in a temporary directory. */
export async function fileOfLines(): Promise<{path: string; remove(): Promise<void>}> {
  const directory = await mkdtemp(join(tmpdir(), 'skk-bench-'))
  const path = join(directory, 'orders.jsonl')
  const file = createWriteStream(path)
  for (let first = 0; first < LINES; first += 10_000) {
    const lines = Array.from({length: 10_000}, (_, index) => line(first + index))
    if (!file.write(lines.join(''))) await once(file, 'drain')
  }
  file.end()
  await once(file, 'close')
  return {path, remove: () => rm(directory, {recursive: true, force: true})}
}

/** 116 bytes. */
function line(number: number): string {
  const id = String(number).padStart(7, '0')
  const customer = String((number * 7919) % 100_000).padStart(5, '0')
  const cents = String((number * 104_729) % 100_000).padStart(5, '0')
  return `{"order":"o-${id}","customer":"c-${customer}","cents":"${cents}","currency":"EUR","note":"leave it at the door please"}\n`
}

import {existsSync} from 'node:fs'
import {open, stat} from 'node:fs/promises'
import {join} from 'node:path'
import {setTimeout as delay} from 'node:timers/promises'

import type {LogLine} from '../aws/function-logs.js'

const FOLLOW_MS = 200

/**
 * What a function of the stack on `dataDir` logged since a time; with `follow` until `signal` aborts. The stack writes each line
 * after its time into `functions/NAME/log`, and moves a full log aside.
 */
export async function* localLog(
  dataDir: string,
  name: string,
  {since, follow, signal}: {since: number; follow: boolean; signal: AbortSignal},
): AsyncGenerator<LogLine> {
  const file = join(dataDir, 'functions', name, 'log')
  const position = {at: 0}
  for (;;) {
    for (const line of await newLines(file, position)) {
      const at = line.indexOf(' ')
      const timestamp = Date.parse(line.slice(0, at))
      if (timestamp >= since) yield {timestamp, message: line.slice(at + 1)}
    }
    if (!follow || signal.aborted) return
    await delay(FOLLOW_MS, undefined, {signal}).catch(() => {})
  }
}

/** The whole lines that came since the last look. */
async function newLines(file: string, position: {at: number}): Promise<string[]> {
  if (!existsSync(file)) return []
  const {size} = await stat(file)
  if (size < position.at) position.at = 0
  if (size === position.at) return []
  const handle = await open(file)
  try {
    const bytes = Buffer.alloc(size - position.at)
    const {bytesRead} = await handle.read(bytes, 0, bytes.length, position.at)
    // A character may be cut: what follows the last line break is read again.
    const whole = bytes.subarray(0, bytes.subarray(0, bytesRead).lastIndexOf('\n') + 1)
    position.at += whole.length
    return whole.toString().split('\n').slice(0, -1)
  } finally {
    await handle.close()
  }
}

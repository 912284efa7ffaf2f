/** Of a batch, by SQS: so many messages, and so many bytes of all. */
const MOST_ENTRIES = 10
export const MOST_BYTES = 1024 * 1024

/** What became of an entry; an error with `senderFault` is one that it will always have. */
export type Result = {ok: true} | {ok: false; code: string; message: string; senderFault: boolean}

export class EntryError extends Error {
  override readonly name = 'EntryError'
  /** Whether the message is to blame. */
  readonly senderFault: boolean

  constructor(message: string, senderFault: boolean) {
    super(message)
    this.senderFault = senderFault
  }
}

type Waiting<Entry> = {entry: Entry; bytes: number; resolve(): void; reject(error: unknown): void}

/**
 * Gathers what is sent at the same time into batches that are as large as SQS takes them. Each promise resolves when SQS has taken
 * its own entry, and rejects with EntryError when it has not, or with what the call has thrown.
 */
export function batches<Entry>(send: (entries: readonly Entry[]) => Promise<Result[]>) {
  let waiting: Waiting<Entry>[] = []
  let planned = false

  const flush = () => {
    planned = false
    const all = waiting
    waiting = []
    for (const batch of split(all)) void sendBatch(batch, send)
  }
  return (entry: Entry, bytes: number): Promise<void> =>
    new Promise((resolve, reject) => {
      waiting.push({entry, bytes, resolve, reject})
      // Those who send now all come before the next turn of the event loop.
      if (!planned) setImmediate(flush)
      planned = true
    })
}

function split<Entry>(all: readonly Waiting<Entry>[]): Waiting<Entry>[][] {
  const made: Waiting<Entry>[][] = []
  let bytes = Number.POSITIVE_INFINITY
  for (const one of all) {
    const last = made.at(-1)
    if (last && last.length < MOST_ENTRIES && bytes + one.bytes <= MOST_BYTES) {
      last.push(one)
      bytes += one.bytes
    } else {
      made.push([one])
      bytes = one.bytes
    }
  }
  return made
}

async function sendBatch<Entry>(
  batch: readonly Waiting<Entry>[],
  send: (entries: readonly Entry[]) => Promise<Result[]>,
): Promise<void> {
  try {
    const results = await send(batch.map(({entry}) => entry))
    for (const [index, {resolve, reject}] of batch.entries()) {
      const result = results[index]
      if (result?.ok) resolve()
      else if (result) reject(new EntryError(`${result.code}: ${result.message}`, result.senderFault))
      else reject(new Error('SQS does not say what became of it'))
    }
  } catch (error) {
    for (const {reject} of batch) reject(error)
  }
}

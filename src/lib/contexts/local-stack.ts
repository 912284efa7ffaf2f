import {readFile} from 'node:fs/promises'
import {join} from 'node:path'

import {SkkError} from '../errors.js'

/** What a running `skk local` writes about itself, mode 0600. */
export type LocalStack = {
  accessKeyId: string
  secretAccessKey: string
  sessionToken?: string
  bootstrap: string
  plaintextBootstrap?: string
  endpoint: string
  region: string
  clusterArn: string
  pid: number
  token: string
  /** `wide` has none of the rules of MSK Serverless. */
  apiProfile?: string
  /** File of its own certificate authority, when it speaks TLS. */
  ca?: string
}

/** The stack that runs on `dataDir`. Throws SkkError (unavailable) when none does. */
export async function localStack(dataDir: string): Promise<LocalStack> {
  const stack = await readLocalStack(dataDir)
  if (stack && isRunning(stack.pid)) return stack
  throw new SkkError('the local stack is not running', {
    code: 'LOCAL_NOT_RUNNING',
    exit: 'unavailable',
    hint: 'Run `skk local start` to start it, or pass `--context` to use another cluster.',
  })
}

/** The state file of a stack, whether it runs or not; undefined when there is none. */
async function readLocalStack(dataDir: string): Promise<LocalStack | undefined> {
  try {
    return JSON.parse(await readFile(join(dataDir, 'stack.json'), 'utf8')) as LocalStack
  } catch {
    return undefined
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

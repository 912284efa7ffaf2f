import {request} from 'node:http'

import {SkkError} from '../errors.js'
import {processIdentity} from '../process-identity.js'
import {readStack, type Stack} from './data-dir.js'

const ANSWER_MS = 2_000

/** The stack that runs on that data directory: its file says so, and it proved itself over its control route. */
export async function runningStack(dataDir: string): Promise<Stack | undefined> {
  const stack = await readStack(dataDir)
  if (!stack) return undefined
  const health = await ask(stack, 'health')
  return health?.pid === stack.pid ? stack : undefined
}

/** The stack that another command is just starting on that data directory, as soon as it answers; undefined after `timeoutMs`. */
export async function stackWithin(dataDir: string, timeoutMs: number): Promise<Stack | undefined> {
  const deadline = Date.now() + timeoutMs
  for (;;) {
    const stack = await runningStack(dataDir)
    if (stack || Date.now() > deadline) return stack
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

/** `runningStack`, where the command is of no use without it. Throws SkkError (not found). */
export async function requireRunningStack(dataDir: string): Promise<Stack> {
  const stack = await runningStack(dataDir)
  if (stack) return stack
  throw new SkkError('no stack is running', {
    code: 'LOCAL_NOT_RUNNING',
    exit: 'notFound',
    hint: 'Run `skk local start` to start one.',
  })
}

/** Asks the stack to stop and waits until it is gone. False when it did not within `timeoutMs`. */
export async function stopStack(stack: Stack, timeoutMs: number): Promise<boolean> {
  await ask(stack, 'stop')
  const deadline = Date.now() + timeoutMs
  while (Date.now() < deadline) {
    if ((await processIdentity(stack.pid)) === undefined) return true
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  return false
}

/**
 * What one of the stack's routes about faults answers: `faults-add` a fault, the others a list of them. Throws SkkError (unavailable)
 * when the stack does not answer, which includes that it did not like `input`.
 */
export async function askFaults<T>(
  stack: Stack,
  route: 'faults-add' | 'faults-list' | 'faults-clear',
  input: object = {},
): Promise<T> {
  const answer = await ask<T>(stack, route, input)
  if (answer !== undefined) return answer
  throw new SkkError(`the stack with pid ${stack.pid} did not take "${route}"`, {
    code: 'STACK_REFUSED',
    exit: 'unavailable',
    hint: 'If an older skk started it, run `skk local stop`, then `skk local start`.',
  })
}

/** One of the stack's control routes; undefined when nobody answers there, or somebody else does. */
function ask<T = {pid: number}>({endpoint, token}: Stack, route: string, input?: object): Promise<T | undefined> {
  return new Promise((resolve) => {
    const asked = request(
      `${endpoint}/_skk/${route}`,
      {method: 'POST', headers: {'x-skk-token': token}, timeout: ANSWER_MS},
      (answer) => {
        let body = ''
        answer.setEncoding('utf8')
        answer.on('data', (text: string) => {
          body += text
        })
        answer.on('end', () => resolve(answer.statusCode === 200 ? parse<T>(body) : undefined))
        answer.on('error', () => resolve(undefined))
      },
    )
    asked.on('timeout', () => asked.destroy())
    asked.on('error', () => resolve(undefined))
    asked.end(input && JSON.stringify(input))
  })
}

function parse<T>(body: string): T | undefined {
  try {
    return JSON.parse(body) as T
  } catch {
    return undefined
  }
}

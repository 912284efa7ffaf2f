import {EXIT} from './errors.js'

/** A signal, a reader that closed standard output, or a standard output that takes no more. */
export type StopReason = 'SIGINT' | 'SIGTERM' | 'EPIPE' | 'OUTPUT'
export type Cleanup = (reason: StopReason) => unknown

/** How long clean-up may take altogether before the process ends all the same. */
const CLEANUP_MS = 5_000
/** After the clean-ups the command may still print its closing lines. */
const LAST_WORDS_MS = 200

export const exitCodeOf: Record<StopReason, number> = {
  SIGINT: EXIT.interrupted,
  SIGTERM: EXIT.terminated,
  EPIPE: EXIT.ok,
  OUTPUT: EXIT.localIo,
}

const cleanups = new Set<Cleanup>()
let stopping: {reason: StopReason; finished: Promise<void>} | undefined

/** Registers what must happen before the process ends early. Returns how to take it back when the work is done. */
export function onStop(cleanup: Cleanup): () => void {
  cleanups.add(cleanup)
  return () => cleanups.delete(cleanup)
}

/** Why the process is ending early, if it is; its clean-ups may still be running. */
export const stopReason = (): StopReason | undefined => stopping?.reason

/** Resolves when all clean-ups of a stop that has begun are through, at once if none has begun. */
export const stopFinished = async (): Promise<void> => stopping?.finished

/**
 * Runs all clean-ups side by side, 5 s at most, then ends the process with the code of its reason. A second signal ends it at
 * once. Clean-ups that fail do not keep the others from running.
 */
export function stop(reason: StopReason, exit: (code: number) => void = process.exit): void {
  const code = exitCodeOf[stopping?.reason ?? reason]
  if (stopping) {
    if (isSignal(reason)) exit(code)
    return
  }

  process.exitCode = code
  const running = [...cleanups]
  if (running.length === 0) {
    exit(code)
    return
  }
  if (isSignal(reason)) process.stderr.write('stopping… (Ctrl-C again to stop at once)\n')
  const finished = Promise.race([
    Promise.allSettled(running.map(async (cleanup) => cleanup(reason))).then(() => {}),
    new Promise<void>((resolve) => setTimeout(resolve, CLEANUP_MS).unref()),
  ])
  stopping = {reason, finished}
  // Not unref'ed: it is what ends a command that does not notice that it was stopped.
  void finished.then(() => setTimeout(() => exit(code), LAST_WORDS_MS))
}

const isSignal = (reason: StopReason): boolean => reason === 'SIGINT' || reason === 'SIGTERM'

/** oclif leaves signals to Node, which ends the process without any clean-up. */
export function stopOnSignals(): void {
  process.on('SIGINT', () => stop('SIGINT'))
  process.on('SIGTERM', () => stop('SIGTERM'))
}

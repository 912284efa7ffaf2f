import type {Reporter, TestModule} from 'vitest/node'

/** Ends the run with one line that a machine can read: `N passed, N failed`. A file that does not load counts as one failure. */
export default class CountsReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly unknown[]): void {
    const tests = modules.flatMap((module) => [...module.children.allTests()])
    const passed = tests.filter((test) => test.result().state === 'passed').length
    const brokenFiles = modules.filter((module) => module.errors().length > 0).length
    const failed = tests.filter((test) => test.result().state === 'failed').length + brokenFiles + unhandledErrors.length
    // After the default reporter's own summary, which it writes in the same tick.
    process.on('exit', () => process.stdout.write(`${passed} passed, ${failed} failed\n`))
  }
}

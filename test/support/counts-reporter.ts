import type {Reporter, TestModule} from 'vitest/node'

/** Ends the run with one line that a machine can read: `N passed, N failed`. A file that does not load counts as one failure. */
export default class CountsReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly unknown[]): void {
    const tests = modules.flatMap((module) => [...module.children.allTests()])
    const passed = tests.filter((test) => test.result().state === 'passed').length
    const brokenFiles = modules.filter((module) => module.errors().length > 0).length
    const failed = tests.filter((test) => test.result().state === 'failed').length + brokenFiles + unhandledErrors.length
    // After the default reporter's own summary. A run that failed before its first test, in the build, has failed once.
    process.on('exit', (exitCode) => {
      process.stdout.write(`${passed} passed, ${failed || (exitCode === 0 ? 0 : 1)} failed\n`)
    })
  }
}

import {availableParallelism} from 'node:os'

import {defineConfig} from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    exclude: ['test/engines/**', 'test/faults/**', 'test/templates/**', 'test/patterns/**', 'test/aws/**'],
    disableConsoleIntercept: true,
    globalSetup: ['test/support/build.ts'],
    reporters: ['default', './test/support/counts-reporter.ts'],
    // Half of the time goes into waiting for processes and timers.
    maxWorkers: Math.max(4, availableParallelism()),
    // What hangs is told late, but a machine ten times slower fails nothing.
    testTimeout: 90_000,
    hookTimeout: 90_000,
    env: {NO_COLOR: '1', AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true'},
  },
})

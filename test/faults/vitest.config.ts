import {defineConfig} from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/faults/**/*.test.ts'],
    disableConsoleIntercept: true,
    globalSetup: ['test/support/build.ts'],
    reporters: ['default', './test/support/counts-reporter.ts'],
    // Most of the time is spent waiting for what was broken on purpose; each file has brokers of its own.
    maxWorkers: 2,
    testTimeout: 120_000,
    // kcat is installed on first use.
    hookTimeout: 600_000,
    env: {NO_COLOR: '1', AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true'},
  },
})

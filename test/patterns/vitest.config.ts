import {defineConfig} from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/patterns/**/*.test.ts'],
    disableConsoleIntercept: true,
    globalSetup: ['test/support/build.ts'],
    reporters: ['default', './test/support/counts-reporter.ts'],
    // Each test starts the stack, functions and servers of others, on as few as two cores.
    fileParallelism: false,
    testTimeout: 300_000,
    // The first use of a tool installs it.
    hookTimeout: 600_000,
    env: {NO_COLOR: '1', AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true'},
  },
})

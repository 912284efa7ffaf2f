import {defineConfig} from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/engines/**/*.test.ts'],
    disableConsoleIntercept: true,
    globalSetup: ['test/support/build.ts'],
    reporters: ['default', './test/support/counts-reporter.ts'],
    // One client at a time: each test starts Java, Python and the stack, on as few as two cores.
    fileParallelism: false,
    testTimeout: 120_000,
    // The first use of a client installs it.
    hookTimeout: 600_000,
    env: {NO_COLOR: '1'},
  },
})

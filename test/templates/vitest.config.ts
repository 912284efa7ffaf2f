import {defineConfig} from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/templates/**/*.test.ts'],
    disableConsoleIntercept: true,
    globalSetup: ['test/support/build.ts'],
    reporters: ['default', './test/support/counts-reporter.ts'],
    // Each test builds a project and starts its tests, which take the cores that there are.
    fileParallelism: false,
    testTimeout: 300_000,
    // The first use of a tool installs it.
    hookTimeout: 600_000,
    env: {NO_COLOR: '1'},
  },
})

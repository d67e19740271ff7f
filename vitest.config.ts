import { defineConfig } from 'vitest/config'

const report = process.env.S3MOVE_TEST_REPORT

/** What all suites have. Results go to the terminal, and for programs to the file that S3MOVE_TEST_REPORT names. */
export const common = {
  ...(report === undefined ? {} : { reporters: ['default', 'json'], outputFile: { json: report } }),
  // Each worker would tell of the SDK's future versions of Node.
  env: { AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true' },
}

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // Suites that need other servers, which .ci/run starts.
    exclude: ['test/servers/**'],
    // They end what hangs. A slow machine is no failure: the slowest takes 30 s on two cores.
    testTimeout: 240_000,
    hookTimeout: 240_000,
    pool: 'forks',
    // Left to itself it would leave one of two cores idle.
    maxWorkers: '100%',
    ...common,
  },
})

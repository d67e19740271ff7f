import { defineConfig } from 'vitest/config'
import { common } from './vitest.config.js'

export default defineConfig({
  // One after the other: the gateway serves some hundred copies a second, and keeps deleted data for a while.
  test: {
    include: ['test/servers/ceph/*.test.ts'],
    testTimeout: 120_000,
    fileParallelism: false,
    pool: 'forks',
    ...common,
  },
})

import { defineConfig } from 'vitest/config'
import { common } from './vitest.config.js'

export default defineConfig({
  test: {
    include: ['test/servers/s3sim/*.test.ts'],
    testTimeout: 120_000,
    fileParallelism: false,
    pool: 'forks',
    ...common,
  },
})

import { defineConfig } from 'vitest/config'
import { common } from './vitest.config.js'

export default defineConfig({
  test: {
    include: ['test/servers/migration/*.test.ts'],
    testTimeout: 240_000,
    fileParallelism: false,
    pool: 'forks',
    ...common,
  },
})

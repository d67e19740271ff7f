import { defineConfig } from 'vitest/config'

export default defineConfig({
  // The folders below test/ hold suites that need other servers; .ci/run starts those.
  test: { include: ['test/*.test.ts'], testTimeout: 60_000, hookTimeout: 60_000, pool: 'forks' },
})

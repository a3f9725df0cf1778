import { defineConfig } from 'vitest/config'

/** Tests that drive a real Chromium: one file after another, because they share two cores. */
export default defineConfig({
  test: {
    name: 'browser',
    environment: 'node',
    include: ['tests/**/*.e2e.ts'],
    fileParallelism: false,
    maxWorkers: 1,
    testTimeout: 240_000,
    hookTimeout: 180_000
  }
})

import { defineConfig } from 'vitest/config'
import solid from 'vite-plugin-solid'

/**
 * The tests that need no browser. `*.e2e.ts` (real Chromium) run with tests/browser.config.ts.
 */
export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          environment: 'node',
          include: ['tests/**/*.test.ts'],
          exclude: ['tests/ui/**'],
          testTimeout: 30_000,
          hookTimeout: 30_000
        }
      },
      {
        plugins: [solid()],
        test: {
          name: 'ui',
          environment: 'happy-dom',
          include: ['tests/ui/**/*.test.{ts,tsx}'],
          testTimeout: 30_000
        }
      }
    ]
  }
})

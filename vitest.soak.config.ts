import { defineConfig } from 'vitest/config'

// Hours, not seconds: by itself, and never part of test:full. `npm run test:soak`.
export default defineConfig({
  test: {
    projects: [
      {
        test: {
          environment: 'node',
          name: 'soak',
          include: ['test/soak/**/*.test.ts'],
          maxWorkers: 1,
          testTimeout: 6 * 3_600_000,
          hookTimeout: 120_000,
        },
      },
    ],
  },
})

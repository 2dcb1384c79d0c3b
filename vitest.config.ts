import { defineConfig } from 'vitest/config'

// In CI one race lost does not fail the run; the report marks what was tried again (`retry x1`), and that is to be looked into.
const retry = process.env['CI'] === undefined ? 0 : 1

const node = { environment: 'node', testTimeout: 30_000, hookTimeout: 60_000, retry } as const

// unit and integration need nothing but `npm ci` (integration starts the project's own PostgreSQL);
// full needs what tools/install-test-peers.sh installs.
export default defineConfig({
  test: {
    projects: [
      {
        test: {
          ...node,
          name: 'unit',
          include: ['src/**/*.test.ts', 'contract/**/*.test.ts', 'tools/**/*.test.ts'],
          exclude: ['src/**/*.pg.test.ts'],
        },
      },
      {
        test: {
          ...node,
          name: 'integration',
          include: ['src/**/*.pg.test.ts', 'test/*.test.ts'],
          maxWorkers: 2,
          testTimeout: 60_000,
        },
      },
      {
        test: {
          ...node,
          name: 'full',
          include: ['test/{e2e,faults}/**/*.test.ts'],
          maxWorkers: 1,
          testTimeout: 300_000,
          hookTimeout: 120_000,
        },
      },
    ],
  },
})

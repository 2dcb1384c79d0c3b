import { readdirSync } from 'node:fs'
import { defineConfig } from 'vitest/config'

// In CI one race lost does not fail the run; the report marks what was tried again (`retry x1`), and that is to be looked into.
const retry = process.env['CI'] === undefined ? 0 : 1

// Files of one worker share its modules: to load them anew for each file took half of the time. What a file changes in its process
// it puts back; `--isolate` tells whether one did not.
const node = {
  environment: 'node',
  setupFiles: 'test/harness/property-seed.ts',
  testTimeout: 30_000,
  hookTimeout: 60_000,
  retry,
  isolate: false,
} as const

const rooms = readdirSync('src', { withFileTypes: true }).flatMap((entry) => (entry.isDirectory() ? entry.name : []))

// unit and integration need nothing but `npm ci` (integration starts the project's own PostgreSQL);
// full needs what tools/install-test-peers.sh installs.
export default defineConfig({
  test: {
    coverage: {
      include: ['src/**/*.ts'],
      reporter: ['text-summary', 'json-summary'],
      reportOnFailure: true,
      // Of each room (SPEC T2): what runs in a process of its own is not counted, so each room is tested within one as well.
      thresholds: Object.fromEntries(rooms.map((room) => [`src/${room}/**`, { lines: 90 }])),
    },
    projects: [
      {
        test: {
          ...node,
          name: 'unit',
          include: ['src/**/*.test.ts', 'contract/**/*.test.ts', 'tools/**/*.test.ts'],
          exclude: ['src/**/*.pg.test.ts'],
          maxWorkers: '100%',
          sequence: { groupOrder: 0 },
        },
      },
      {
        test: {
          ...node,
          name: 'integration',
          globalSetup: 'test/harness/run-folder.ts',
          include: ['src/**/*.pg.test.ts', 'test/*.test.ts'],
          maxWorkers: 2,
          sequence: { groupOrder: 1 },
          testTimeout: 60_000,
        },
      },
      {
        test: {
          ...node,
          name: 'full',
          globalSetup: 'test/harness/run-folder.ts',
          include: ['test/{e2e,faults}/**/*.test.ts'],
          isolate: true,
          maxWorkers: 1,
          sequence: { groupOrder: 2 },
          testTimeout: 300_000,
          hookTimeout: 120_000,
        },
      },
    ],
  },
})

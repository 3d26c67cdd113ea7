import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    reporters: ['default'],
    projects: [
      {
        // Fast: no process, no socket, no clock but a virtual one. Imports are most of their time, so the files share them.
        test: { name: 'unit', include: ['test/**/*.test.ts'], exclude: ['test/integration/**', 'test/faults/**', 'test/files/**'], testTimeout: 5_000, isolate: false },
      },
      {
        // Their file system fails on request, which must not leak into other files' imports.
        test: { name: 'files', include: ['test/files/**/*.test.ts'], testTimeout: 5_000 },
      },
      {
        // Real Postgres, real emulator, real supabase-js. Two cores: more than two files at once only wait for each other.
        test: {
          name: 'integration',
          globalSetup: ['test/support/ensureEmulator.ts'],
          include: ['test/integration/**/*.test.ts'],
          testTimeout: 120_000,
          hookTimeout: 180_000,
          maxWorkers: 2,
          fileParallelism: true,
          sequence: { groupOrder: 1 },
        },
      },
      {
        // The same real parts, killed, cut, frozen and lied to. Each file has a whole stack and several daemons.
        test: {
          name: 'faults',
          globalSetup: ['test/support/ensureEmulator.ts'],
          include: ['test/faults/**/*.test.ts'],
          testTimeout: 300_000,
          hookTimeout: 180_000,
          maxWorkers: 2,
          fileParallelism: true,
          sequence: { groupOrder: 2 },
        },
      },
    ],
  },
});

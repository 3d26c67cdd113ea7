import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    reporters: ['default'],
    projects: [
      {
        // Fast: no process, no socket, no clock but a virtual one.
        test: { name: 'unit', include: ['test/**/*.test.ts'], exclude: ['test/integration/**', 'test/faults/**'], testTimeout: 5_000 },
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
    ],
  },
});

import { afterAll, beforeAll, expect, test } from 'vitest';
import { measureSignUps, startMigrated, WAYS } from '../../../dev/signUpCost.js';
import { quantile } from '../../../dev/measure.js';
import type { Postgres } from '../../../dev/postgres.js';

/** Far above what a sign-up takes more (0.1 to 1 ms), far below what anybody would notice. */
const MORE_MS = 25;

let postgres: Postgres;
beforeAll(async () => void (postgres = await startMigrated({ settings: { fsync: 'off' } })));
afterAll(() => postgres?.stop());

test.each([1, 8])('a sign-up takes at most 25 ms more than without us, however accounts are given, over %i connections', async (connections) => {
  const costs = await measureSignUps(postgres, { rounds: 2, signUps: 80, connections });
  const without = quantile(costs['no trigger'].medianMs, 0.5);
  for (const way of WAYS) {
    expect.soft(quantile(costs[way].medianMs, 0), way).toBeLessThan(without + MORE_MS);
    expect.soft(quantile(costs[way].perSecond, 0), way).toBeGreaterThan(0);
  }
});

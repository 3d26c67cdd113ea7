import pLimit from 'p-limit';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { signUp } from '../../../dev/signUp.js';
import { startDaemonWorld, until, type DaemonWorld } from '../../support/daemonWorld.js';
import { everybody, type Wallet } from '../../support/sweeps.js';
import { actAs, DROP_VAULT, SPEND_FLOW } from '../../support/walletOwner.js';

const BROKEN = 100;
const SIGN_UPS = 20;
const EVERY_MS = 100;
const ROUNDS = 2;
/** In 10^-8 FLOW: 0.01, below the threshold of 0.075. */
const LITTLE = 1_000_000n;

let world: DaemonWorld;
let wallets: Wallet[];
beforeAll(async () => {
  world = await startDaemonWorld();
  wallets = await everybody(world, BROKEN);
});
afterAll(() => world?.stop());

const count = async (from: string): Promise<number> => (await world.stack.servicePool.query(`select from ${from}`)).rowCount ?? 0;

/** Half of them lose their vault, the others their FLOW. */
async function breakAll(): Promise<void> {
  const limit = pLimit(12);
  await Promise.all(wallets.map((wallet, i) => limit(() => actAs(world, wallet, i % 2 === 0 ? DROP_VAULT : SPEND_FLOW(LITTLE)))));
}

/** From the sign-up's row to the wallet's, in milliseconds, by the database's clock. */
async function delays(): Promise<number[]> {
  const users = [];
  for (let i = 0; i < SIGN_UPS; i++) {
    users.push(await signUp(world.stack.authPool));
    await new Promise((resolve) => setTimeout(resolve, EVERY_MS));
  }
  await world.ready(users);
  const rows = await world.stack.postgres.query<{ ms: string }>('supabase_admin', 'select extract(epoch from a.assigned_at - u.created_at) * 1000 as ms from wallet_sync.account a join auth.users u on u.id = a.auth_id where u.id = any($1)', [users.map((user) => user.authId)]);
  return rows.map((row) => Number(row.ms));
}

/** The share `at` of the values lies at or below it. */
const quantile = (values: readonly number[], at: number): number => [...values].sort((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * at))] ?? NaN;
const spread = (values: readonly number[]): string => [0.1, 0.5, 0.9, 1].map((at) => Math.round(quantile(values, at))).join(' / ');

it.each(['25', '0'])('sign-ups get their wallets as fast while 100 others are mended as without, with POOL_SIZE=%s', { timeout: 300_000 }, async (poolSize) => {
  const daemon = world.daemon({ POOL_SIZE: poolSize, CONFIG_EXPORT: 'off' });
  await daemon.logged((line) => line.msg === 'sweep done');
  const full = (): Promise<void> => until(60_000, async () => (await count("wallet_sync.account where state = 'free'")) >= Number(poolSize) && (await count("wallet_sync.transaction where state = 'live'")) === 0);
  const calm: number[] = [];
  const sweeping: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    await breakAll();
    await full();
    calm.push(...(await delays()));
    await full();
    const swept = daemon.lines.filter((line) => line.msg === 'sweep done').length;
    await world.stack.servicePool.query('select wallet_sync.resync()');
    await until(20_000, async () => (await count("wallet_sync.transaction where state = 'live' and kind in ('fund', 'repair')")) > 0);
    sweeping.push(...(await delays()));
    await until(90_000, () => Promise.resolve(daemon.lines.filter((line) => line.msg === 'sweep done').length > swept));
    expect(daemon.lines.findLast((line) => line.msg === 'sweep done')).toMatchObject({ vaults_created: BROKEN / 2, flow_funding_success: BROKEN / 2 });
  }
  await daemon.stop();
  process.stdout.write(`POOL_SIZE=${poolSize}, ms at 10 / 50 / 90 / 100 %: ${spread(calm)} without, ${spread(sweeping)} while ${BROKEN} wallets are mended\n`);
  // About as fast: other processes share the machine, and blocks come every 200 ms.
  expect(quantile(sweeping, 0.5)).toBeLessThan(quantile(calm, 0.5) * 1.5 + 250);
  expect(quantile(sweeping, 0.9)).toBeLessThan(quantile(calm, 0.9) * 2 + 500);
});

it('and nobody has got two wallets, or FLOW twice', async () => {
  expect(await world.duplicates()).toBe(0);
});

import { afterAll, beforeAll, expect, it } from 'vitest';
import { quantile, readyTimes } from '../../../dev/measure.js';
import { sourceIs, startDaemonWorld, until, type DaemonWorld } from '../../support/daemonWorld.js';
import { everybody, newestCycle, type Wallet } from '../../support/sweeps.js';
import { actAs, UNPUBLISH_BALANCE } from '../../support/walletOwner.js';

const WALLETS = 24;
/** So few that a sweep's repairs queue for them. */
const TRANSACTION_RPS = 2;
const ROUNDS = 2;
const SIGN_UPS = 4;

let world: DaemonWorld;
let wallets: Wallet[];
beforeAll(async () => {
  world = await startDaemonWorld({ funders: 2 });
  wallets = await everybody(world, WALLETS);
});
afterAll(() => world?.stop());

/** Each signs up when the one before has a wallet. In milliseconds. */
async function measure(): Promise<number[]> {
  const signUps = [];
  for (let n = 0; n < SIGN_UPS; n += 1) {
    const [signUp] = await world.signUps(1);
    await world.ready([signUp!]);
    signUps.push(signUp!);
  }
  return readyTimes(world.stack.authPool, world.stack.servicePool, signUps);
}

const repairsSent = async (): Promise<number> =>
  Number((await world.stack.postgres.query<{ count: string }>('postgres', "select count(*) from wallet_sync.transaction where kind = 'repair'"))[0]?.count);

/** A call that has begun holds its place of the rate for this long, whatever comes. Behind all of a sweep's calls that wait it would be 4 times as much. */
const HELD_MS = 1_000;

it.each([
  // First, before there is a pool that outlasts its daemon.
  { pool: '0', broken: WALLETS, allowanceMs: HELD_MS },
  // What is given from the pool needs no call to the chain; the rest is two processes' share of two cores.
  { pool: '25', broken: WALLETS / 2, allowanceMs: 50 },
])('with POOL_SIZE=$pool, who signs up while $broken wallets are mended gets a wallet as fast as without', async ({ pool, broken, allowanceMs }) => {
  const daemon = world.daemon({ POOL_SIZE: pool, TRANSACTION_RPS: String(TRANSACTION_RPS), BACKLOG_POLL: '86400', CONFIG_EXPORT: 'off' });
  await sourceIs(daemon, 'notify', 'ok');
  await daemon.logged((line) => line.msg === 'sweep done');
  const times = { calm: [] as number[], swept: [] as number[] };
  for (let round = 0; round < ROUNDS; round += 1) {
    times.calm.push(...(await measure()));

    await Promise.all(wallets.slice(0, broken).map((wallet) => actAs(world, wallet, UNPUBLISH_BALANCE)));
    const before = await repairsSent();
    await world.stack.postgres.query('postgres', 'select wallet_sync.resync()');
    await until(30_000, async () => (await repairsSent()) > before);
    times.swept.push(...(await measure()));
    // Otherwise nothing was compared.
    const { id, ...cycle } = await newestCycle(world);
    expect(cycle).toMatchObject({ reason: 'resync', ended: false });
    await daemon.logged((line) => line.msg === 'sweep done' && line['id'] === id);
    expect(await repairsSent()).toBe(before + broken);
  }
  await daemon.stop();
  const median = (of: number[]): number => quantile(of.sort((a, b) => a - b), 0.5);
  const seen = `calm ${times.calm.map(Math.round).join(' ')} ms; swept ${times.swept.map(Math.round).join(' ')} ms`;
  expect(median(times.swept), seen).toBeLessThan(median(times.calm) * 1.5 + allowanceMs);
}, 180_000);

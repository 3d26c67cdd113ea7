import { afterAll, beforeAll, expect, it } from 'vitest';
import { startDaemonWorld, until, type DaemonWorld } from '../support/daemonWorld.js';
import { expectExactlyOneWalletEach } from './rest.js';

/** 64 bytes that are no point of the curve: the chain refuses to make a key of them. */
const NO_POINT = 'ff'.repeat(64);

let world: DaemonWorld;
beforeAll(async () => {
  world = await startDaemonWorld();
});
afterAll(() => world?.stop());

it('a bad member of a batch ends alone with its error and solution, the rest succeed', async () => {
  // A prepared account that a dead instance left behind is part of the first batch.
  await world.stack.postgres.query('postgres', "insert into wallet_sync.account (public_key, private_key) values ($1, 'v1:lost')", [NO_POINT]);
  const daemon = world.daemon({ POOL_SIZE: '24' });
  const signUps = await world.signUps(30);
  await expectExactlyOneWalletEach(world, signUps);
  const failed = async () => world.stack.postgres.query('postgres', "select public_key, error_kind, solution from wallet_sync.account where state = 'failed'");
  await until(60_000, async () => (await failed()).length > 0);
  expect(await failed()).toEqual([{ public_key: NO_POINT, error_kind: 'chain-state', solution: expect.stringContaining('wallet-sync retry') }]);
  const sizes = daemon.lines.filter((line) => line.msg === 'creation failed on chain').map((line) => line['accounts']);
  expect(sizes.at(-1), `batches that failed: ${sizes.join(', ')}`).toBe(1);
  // The others of its batches fill the pool.
  await until(60_000, async () => {
    const { rows } = await world.stack.servicePool.query<{ bounded: number }>("select count(*)::integer as bounded from wallet_sync.account where batch_max is not null and state <> 'failed'");
    return rows[0]?.bounded === 0;
  });
  await daemon.stop();
});

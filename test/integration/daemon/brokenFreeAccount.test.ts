import { afterAll, beforeAll, expect, it } from 'vitest';
import { startDaemonWorld, type DaemonWorld } from '../../support/daemonWorld.js';
import { actAs, DROP_VAULT, REVOKE_KEY } from '../../support/walletOwner.js';

let world: DaemonWorld;
beforeAll(async () => {
  world = await startDaemonWorld();
});
afterAll(() => world?.stop());

it('a free account that a sweep finds broken, its key revoked or its vault gone, is set aside and never given', async () => {
  const daemon = world.daemon({ POOL_SIZE: '5' });
  await daemon.logged((line) => line.msg === 'accounts made');
  const free = await world.stack.postgres.query<{ address: string }>('postgres', "select address from wallet_sync.account where state = 'free' order by id limit 2");
  await actAs(world, free[0]!, REVOKE_KEY);
  await actAs(world, free[1]!, DROP_VAULT);
  await world.stack.servicePool.query('select wallet_sync.resync()');
  await daemon.logged((line) => line.msg === 'sweep done' && line['setAside'] === 2);
  await world.ready(await world.signUps(10));
  const { rows } = await world.stack.servicePool.query('select address, error, auth_id from wallet_sync.account where state = $1 order by id', ['set_aside']);
  expect(rows).toEqual([
    { address: free[0]!.address, error: expect.stringContaining('revoked'), auth_id: null },
    { address: free[1]!.address, error: expect.stringContaining('vault is gone'), auth_id: null },
  ]);
  await daemon.stop();
});

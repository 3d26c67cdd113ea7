import { afterAll, beforeAll, expect, it } from 'vitest';
import { faultsOf } from '../../dev/audit.js';
import { startDaemonWorld, type DaemonWorld } from '../support/daemonWorld.js';
import { expectExactlyOneWalletEach } from './rest.js';

const USERS = 1_000;
const KILL_EVERY_MS = 5_000;
const SETTINGS = { POOL_SIZE: '25', REALTIME: 'off', CONFIG_EXPORT: 'off' };

let world: DaemonWorld;
beforeAll(async () => {
  world = await startDaemonWorld({ funders: 18 });
});
afterAll(() => world?.stop());

it('three instances, 1,000 sign-ups, one of them killed every 5 s and replaced: 1,000 users with one account each, none stranded', async () => {
  for (let i = 0; i < 3; i++) world.daemon(SETTINGS);
  let killed = 0;
  // The killing is the fault itself: it goes by the clock until all users are served.
  const killer = setInterval(() => {
    const [oldest] = world.daemonsAlive();
    oldest?.kill('SIGKILL');
    killed += 1;
    world.daemon(SETTINGS);
  }, KILL_EVERY_MS);
  const signUps = await world.signUps(USERS);
  try {
    await world.ready(signUps, 200_000);
  } finally {
    clearInterval(killer);
  }
  expect(killed).toBeGreaterThan(2);
  await expectExactlyOneWalletEach(world, signUps);
  const audit = await world.audit();
  expect(faultsOf(audit)).toEqual({});
  expect(audit.accountsOnChain).toBe(audit.accountsOwned);
  const { rows } = await world.stack.servicePool.query<{ state: string; accounts: string }>("select state::text, count(*) as accounts from wallet_sync.account where state in ('assigned', 'failed') group by 1");
  expect(rows).toEqual([{ state: 'assigned', accounts: String(USERS) }]);
});

import { afterAll, beforeAll, expect, it } from 'vitest';
import { signUp, type SignUp } from '../../dev/signUp.js';
import { startDaemonWorld, until, type DaemonWorld } from '../support/daemonWorld.js';
import { expectExactlyOneWalletEach } from './rest.js';

const POOL = 20;
const SETTINGS = { ASSIGN: 'trigger', POOL_SIZE: String(POOL), REALTIME: 'off' };

let world: DaemonWorld;
beforeAll(async () => {
  world = await startDaemonWorld();
});
afterAll(() => world?.stop());

const free = async (): Promise<number> => {
  const { rows } = await world.stack.servicePool.query<{ free: number }>("select count(*)::integer as free from wallet_sync.account where state = 'free'");
  return rows[0]?.free ?? 0;
};
const hasWallet = async ({ authId }: SignUp): Promise<boolean> => {
  const { rowCount } = await world.stack.servicePool.query('select from public.wallet where auth_id = $1 and flow_address is not null', [authId]);
  return rowCount === 1;
};

it(`all instances killed with ${POOL} accounts in the pool and ASSIGN=trigger: the next ${POOL} sign-ups have a wallet when their commit returns; one more waits, and gets it after a restart`, async () => {
  const daemons = [world.daemon(SETTINGS), world.daemon(SETTINGS)];
  await until(60_000, async () => (await free()) === POOL);
  for (const daemon of daemons) daemon.kill('SIGKILL');
  await Promise.all(daemons.map((daemon) => daemon.ended));
  const signUps: SignUp[] = [];
  for (let i = 0; i < POOL; i++) {
    signUps.push(await signUp(world.stack.authPool));
    expect(await hasWallet(signUps[i]!), `sign-up ${i + 1}`).toBe(true);
  }
  const last = await signUp(world.stack.authPool);
  expect(await hasWallet(last)).toBe(false);
  const daemon = world.daemon(SETTINGS);
  await expectExactlyOneWalletEach(world, [...signUps, last]);
  expect(await world.deliveredBy(signUps)).toEqual({ trigger: POOL });
  await until(60_000, async () => (await free()) === POOL);
  await daemon.stop();
});

import { afterAll, beforeAll, expect, it } from 'vitest';
import { readyTimes } from '../../dev/measure.js';
import { sourceIs, startDaemonWorld, until, type DaemonWorld } from '../support/daemonWorld.js';
import { signUpsGoOn } from './going.js';
import { expectExactlyOneWalletEach } from './rest.js';

let world: DaemonWorld;
beforeAll(async () => {
  // The chain takes a transaction for 600 blocks, and the daemon is told of fewer: so one that it has given up can still seal.
  world = await startDaemonWorld({ blockTimeMs: 100, transactionExpiry: 600 });
});
afterAll(() => world?.stop());

const stateOf = async (txId: string): Promise<string> => (await world.stack.servicePool.query<{ state: string }>('select state::text from wallet_sync.transaction where id = $1', [txId])).rows[0]!.state;

it('users of a transaction that may still seal for long are served by another within 30 s, and where it is given up and seals after all, its accounts join the pool', async () => {
  const { faults } = world.stack.accessNode;
  faults.dropForEver(1);
  const waiting = await world.signUps(5);
  // 240 blocks and the margin of 60 take 30 s and more.
  const daemon = world.daemon({ POOL_SIZE: '0', REALTIME: 'off', TRANSACTION_EXPIRY: '240' });
  const recorded = await daemon.logged((line) => line.msg === 'transaction recorded');
  const txId = String(recorded['txId']);
  await sourceIs(daemon, 'notify', 'ok');
  const stream = signUpsGoOn(world, 300);
  await until(10_000, () => Promise.resolve(stream.done.length >= 8));
  const all = [...waiting, ...(await stream.stop())];

  await world.ready(all);
  expect(await stateOf(txId)).toBe('live');
  const times = await readyTimes(world.stack.authPool, world.stack.servicePool, all);
  expect(times.at(-1)).toBeLessThan(30_000);

  await until(60_000, async () => (await stateOf(txId)) === 'given_up');
  const { rows } = await world.stack.servicePool.query<{ body: string }>('select body from wallet_sync.transaction where id = $1', [txId]);
  const deliver = (): Promise<Response> => fetch(`${world.stack.emulator.restUrl}/v1/transactions`, { method: 'POST', body: rows[0]!.body, headers: { 'content-type': 'application/json' } });
  // The emulator refuses while it executes a block.
  await until(10_000, async () => (await deliver()).ok);
  const late = await daemon.logged((line) => line.msg.startsWith('a creation that was given up has sealed after all'));
  expect(late).toMatchObject({ txId, accounts: 5 });
  expect(await stateOf(txId)).toBe('sealed');
  const { rowCount: free } = await world.stack.servicePool.query("select from wallet_sync.account where state = 'free'");
  expect(free).toBe(5);

  // Who comes next is given one of them.
  const next = await world.signUps(5);
  await expectExactlyOneWalletEach(world, [...all, ...next]);
  expect((await world.stack.servicePool.query("select from wallet_sync.account where state = 'free'")).rowCount).toBe(0);
  await daemon.stop();
});

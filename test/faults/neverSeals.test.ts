import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { sealedHeight } from '../../dev/audit.js';
import type { Daemon } from '../../dev/daemon.js';
import { readyTimes } from '../../dev/measure.js';
import type { SignUp } from '../../dev/signUp.js';
import { sourceIs, startDaemonWorld, until, type DaemonWorld } from '../support/daemonWorld.js';
import { signUpsGoOn } from './going.js';
import { expectExactlyOneWalletEach } from './rest.js';

/** Blocks after which a transaction without a trace is given up: 9 s at 100 ms a block. */
const EXPIRY = 30;
const MARGIN = 60;
const SETTINGS = { POOL_SIZE: '0', REALTIME: 'off', TRANSACTION_EXPIRY: `${EXPIRY}` };

let world: DaemonWorld;
beforeAll(async () => {
  world = await startDaemonWorld({ blockTimeMs: 100, transactionExpiry: EXPIRY });
});
afterEach(() => world.stack.accessNode.faults.clear());
afterAll(() => world?.stop());

/** A daemon that makes its first batch for users who wait already, and the id of that transaction. */
async function firstBatch(users: number): Promise<{ daemon: Daemon; signUps: readonly SignUp[]; txId: string }> {
  const signUps = await world.signUps(users);
  const daemon = world.daemon(SETTINGS);
  const recorded = await daemon.logged((line) => line.msg === 'transaction recorded');
  expect(recorded['members']).toBe(users);
  await sourceIs(daemon, 'notify', 'ok');
  return { daemon, signUps, txId: String(recorded['txId']) };
}

const transaction = async (txId: string) => {
  const { rows } = await world.stack.servicePool.query<{ state: string; reference_height: string; states: string[] }>(
    `select t.state::text, t.reference_height, (select array_agg(distinct a.state::text) from wallet_sync.member m join wallet_sync.account a on a.id = m.account_id where m.transaction_id = t.id) as states
     from wallet_sync.transaction t where t.id = $1`,
    [txId],
  );
  return rows[0]!;
};

it('a transaction that is dropped for ever delays its users by less than 30 s, is given up after its expiry, its keys end expired and own nothing', async () => {
  world.stack.accessNode.faults.dropForEver(1);
  const { daemon, signUps, txId } = await firstBatch(5);
  const stream = signUpsGoOn(world, 300);
  const gaveUp = await daemon.logged((line) => line.msg === 'creation expired and given up');
  expect(gaveUp['txId']).toBe(txId);
  const ended = await transaction(txId);
  expect(ended).toMatchObject({ state: 'given_up', states: ['expired'] });
  expect(await sealedHeight(world.stack.emulator.restUrl)).toBeGreaterThan(Number(ended.reference_height) + EXPIRY + MARGIN);

  const all = [...signUps, ...(await stream.stop())];
  await expectExactlyOneWalletEach(world, all);
  const times = await readyTimes(world.stack.authPool, world.stack.servicePool, all);
  expect(times.at(-1)).toBeLessThan(30_000);
  expect(await transaction(txId)).toMatchObject({ state: 'given_up', states: ['expired'] });
  await daemon.stop();
});

it('a transaction that sealed while the answers about it are "pending" for ever is found by its events: its accounts are given, and none is made twice', async () => {
  world.stack.accessNode.faults.pendingForEver(true);
  const { daemon, signUps, txId } = await firstBatch(5);
  const stream = signUpsGoOn(world, 300);
  await world.ready(signUps);
  await until(30_000, async () => (await transaction(txId)).state === 'sealed');
  expect((await transaction(txId)).states).toEqual(['assigned']);
  expect(daemon.lines.filter((line) => line.msg === 'creation expired and given up' && line['txId'] === txId)).toEqual([]);

  await expectExactlyOneWalletEach(world, [...signUps, ...(await stream.stop())]);
  await daemon.stop();
});

it('after a quiet time of more blocks than the expiry, the next batch is signed with a younger block and seals', async () => {
  const daemon = world.daemon(SETTINGS);
  await sourceIs(daemon, 'notify', 'ok');
  const before = await world.signUps(1);
  await world.ready(before);
  const height = await sealedHeight(world.stack.emulator.restUrl);
  await until(30_000, async () => (await sealedHeight(world.stack.emulator.restUrl)) > height + EXPIRY);
  const after = await world.signUps(1);
  await expectExactlyOneWalletEach(world, [...before, ...after]);
  expect(daemon.lines.filter((line) => line.msg === 'transaction recorded').length).toBe(2);
  await daemon.stop();
});

import { afterAll, beforeAll, expect, it } from 'vitest';
import { signUpMany } from '../../dev/signUp.js';
import { sourceIs, startDaemonWorld, type DaemonWorld } from '../support/daemonWorld.js';
import { signUpsGoOn } from './going.js';
import { startOutsider, type Outsider } from './outsider.js';
import { expectExactlyOneWalletEach } from './rest.js';
import { statusShows } from './status.js';

/** In 10^-8 FLOW: three wallets of 0.1 and their fee. */
const ENOUGH_FOR_THREE = 35_000_000n;
const RICH = 100_000_000_000n;

let world: DaemonWorld;
let outsider: Outsider;
beforeAll(async () => {
  world = await startDaemonWorld({ funders: 3 });
  outsider = await startOutsider(world.stack);
});
afterAll(async () => {
  outsider?.close();
  await world?.stop();
});

const setPaused = (paused: boolean) => world.stack.postgres.query('postgres', 'select wallet_sync.set_paused($1)', [paused]);
/** Accounts that a failure was laid to, which a funder's emptiness never is. */
const blamed = async (): Promise<number> => {
  const { rowCount } = await world.stack.servicePool.query("select from wallet_sync.account where batch_max is not null or state in ('failed', 'expired', 'set_aside')");
  return rowCount ?? 0;
};

it('a funder that is empty in mid-batch leaves the rotation, says so in the log and in status, blames nobody, and all are served through the others', async () => {
  const poor = outsider.funders[0]!;
  const daemon = world.daemon({ POOL_SIZE: '0', REALTIME: 'off' });
  await sourceIs(daemon, 'notify', 'ok');
  await daemon.logged((line) => line.msg === 'sweep done');
  await outsider.leave(poor.name, ENOUGH_FOR_THREE);
  // All at once, so that the first batch is a full one. The slots have never been used: the lowest address comes first.
  await setPaused(true);
  await daemon.logged((line) => line.msg === 'paused');
  const crowd = await signUpMany(world.stack.authPool, 30);
  await setPaused(false);
  const stream = signUpsGoOn(world);

  const said = await daemon.logged((line) => line.msg === 'funder is empty and leaves the rotation');
  expect(said).toMatchObject({ funder: poor.address, mend: 'send FLOW to the funding account' });
  const status = await statusShows(world, (report) => report.slots_out.length > 0);
  expect(status.slots_out).toEqual([{ slot: `${poor.address}/0`, reason: expect.stringMatching(/FLOW/) as string }]);

  await expectExactlyOneWalletEach(world, [...crowd, ...(await stream.stop())]);
  expect(await blamed()).toBe(0);
  const { rows } = await world.stack.servicePool.query(
    'select proposer_address, error_kind, count(m)::integer as members from wallet_sync.transaction t join wallet_sync.member m on m.transaction_id = t.id where t.state = $1 group by t.id',
    ['failed'],
  );
  expect(rows).toEqual([{ proposer_address: poor.address, error_kind: 'funds', members: 25 }]);
  await daemon.stop();
});

it('with the only funder empty the users wait and status says why; when FLOW is sent to it, the work goes on by itself', async () => {
  const only = outsider.funders[2]!;
  const daemon = world.daemon({ POOL_SIZE: '0', REALTIME: 'off', FUNDING_ACCOUNTS: only.name });
  await sourceIs(daemon, 'notify', 'ok');
  await daemon.logged((line) => line.msg === 'sweep done');
  await outsider.leave(only.name, ENOUGH_FOR_THREE);
  const stream = signUpsGoOn(world);
  await daemon.logged((line) => line.msg === 'funder is empty and leaves the rotation');
  const status = await statusShows(world, (report) => report.waiting > 0 && report.slots_out.some((out) => out.slot === `${only.address}/0` && /^below \d/.test(out.reason)));
  expect(status.live_transactions).toBe(0);

  await outsider.give(only.name, RICH);
  await statusShows(world, (report) => report.slots_out.every((out) => out.slot !== `${only.address}/0`));
  // What was taken away here lies after the first transaction; what was taken in the other test lies before it.
  await expectExactlyOneWalletEach(world, await stream.stop(), 1);
  expect(await blamed()).toBe(0);
  await daemon.stop();
});

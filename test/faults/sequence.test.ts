import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Daemon, LogLine } from '../../dev/daemon.js';
import { sourceIs, startDaemonWorld, type DaemonWorld } from '../support/daemonWorld.js';
import { signUpsGoOn } from './going.js';
import { startOutsider, type Outsider } from './outsider.js';
import { expectExactlyOneWalletEach } from './rest.js';

let world: DaemonWorld;
let outsider: Outsider;
beforeAll(async () => {
  world = await startDaemonWorld();
  outsider = await startOutsider(world.stack);
});
afterAll(async () => {
  outsider?.close();
  await world?.stop();
});

/** The next line that fits, after those so far. */
const next = (daemon: Daemon, fits: (line: LogLine) => boolean): Promise<LogLine> => {
  const past = daemon.lines.length;
  return daemon.logged((line) => fits(line) && daemon.lines.indexOf(line) >= past);
};

it('a sequence conflict made by an outside transaction with the same key blames nobody: each batch is built again whole with the number read again', async () => {
  const [funder] = outsider.funders;
  // One slot only, so that every batch is signed with the key that the outsider uses.
  const daemon = world.daemon({ POOL_SIZE: '0', REALTIME: 'off', FUNDING_ACCOUNTS: funder!.name });
  await sourceIs(daemon, 'notify', 'ok');
  const first = await world.signUps(3);
  await world.ready(first);

  // Before it is leased again: two, since what is signed after the first failure must be read and not counted on.
  await outsider.useKey(funder!.name, 2);
  const stream = signUpsGoOn(world, 150);
  await next(daemon, (line) => line.msg === 'creation failed on chain' && line['kind'] === 'sequence');
  await next(daemon, (line) => line.msg === 'accounts made');

  // Between its record and its execution.
  world.stack.accessNode.faults.dropForEver(1);
  const recorded = await next(daemon, (line) => line.msg === 'transaction recorded');
  await outsider.useKey(funder!.name, 2);
  world.stack.accessNode.faults.clear();
  await next(daemon, (line) => line.msg === 'creation failed on chain' && line['txId'] === recorded['txId']);

  await expectExactlyOneWalletEach(world, [...first, ...(await stream.stop())]);
  const { rows: failed } = await world.stack.servicePool.query<{ error_kind: string; members: number; again: number; batches: number }>(
    `select f.error_kind, count(distinct m.account_id)::integer as members, count(s.id)::integer as again, count(distinct s.id)::integer as batches
     from wallet_sync.transaction f join wallet_sync.member m on m.transaction_id = f.id
     left join wallet_sync.member n on n.account_id = m.account_id and n.transaction_id <> f.id
     left join wallet_sync.transaction s on s.id = n.transaction_id and s.state = 'sealed'
     where f.state = 'failed' group by f.id, f.error_kind`,
  );
  // One failure for each conflict: the number that follows is the chain's.
  expect(failed).toEqual([1, 2].map(() => ({ error_kind: 'sequence', members: expect.any(Number) as number, again: expect.any(Number) as number, batches: 1 })));
  for (const batch of failed) expect(batch.again).toBe(batch.members);
  const { rows: blamed } = await world.stack.servicePool.query(
    "select address from wallet_sync.slot where out_of_rotation is not null union all select public_key from wallet_sync.account where batch_max is not null or state in ('failed', 'expired', 'set_aside')",
  );
  expect(blamed).toEqual([]);
  await daemon.stop();
});

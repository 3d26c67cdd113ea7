import { afterAll, beforeAll, expect, it } from 'vitest';
import { startAccessNodeProxy, type AccessNodeProxy } from '../../dev/accessNodeProxy.js';
import { sourceIs, startDaemonWorld, until, type DaemonWorld } from '../support/daemonWorld.js';
import { signUpsGoOn } from './going.js';
import { expectExactlyOneWalletEach } from './rest.js';
import { statusShows } from './status.js';

const SETTINGS = { POOL_SIZE: '0', REALTIME: 'off' };

let world: DaemonWorld;
/** The first instance's own way to the chain. */
let ownNode: AccessNodeProxy;
beforeAll(async () => {
  world = await startDaemonWorld();
  ownNode = await startAccessNodeProxy({ target: world.stack.emulator.restUrl });
});
afterAll(async () => {
  await world?.stop();
  await ownNode?.stop();
});

const count = async (from: string): Promise<number> => (await world.stack.servicePool.query(`select from ${from}`)).rowCount ?? 0;

it('an instance frozen beyond its lease loses its transactions, slots, prepared accounts and its sweep to another; woken, it does no harm and works on', async () => {
  const frozen = world.daemon({ ...SETTINGS, FLOW_ACCESS_NODE: ownNode.url });
  await sourceIs(frozen, 'notify', 'ok');
  await frozen.logged((line) => line.msg === 'sweep done');
  // It holds a transaction that is recorded and, for all it knows, sent …
  ownNode.faults.dropForEver(1);
  const first = await world.signUps(1);
  const recorded = await frozen.logged((line) => line.msg === 'transaction recorded');
  // … a slot with prepared accounts whose transaction it can't build …
  ownNode.faults.freeze(true);
  const second = await world.signUps(2);
  await until(10_000, async () => (await count("wallet_sync.account where state = 'prepared' and prepared_by is not null")) > 0);
  // … and the sweep, which waits for the chain.
  await world.stack.postgres.query('postgres', 'select wallet_sync.resync()');
  await until(10_000, async () => (await count('wallet_sync.sweeper where leased_by is not null')) > 0);
  frozen.kill('SIGSTOP');

  const stream = signUpsGoOn(world);
  const other = world.daemon({ ...SETTINGS, SYNC_INTERVAL: '2' });
  await other.logged((line) => line.msg === 'transaction taken over' && line['txId'] === recorded['txId']);
  await statusShows(world, (report) => report.instances.length === 1 && report.instances[0]?.pid === other.pid);
  await other.logged((line) => line.msg === 'sweep done');
  await world.ready([...first, ...second]);
  await until(30_000, async () => (await count(`wallet_sync.transaction where id = '${String(recorded['txId'])}' and state = 'sealed'`)) === 1);

  frozen.kill('SIGCONT');
  ownNode.faults.clear();
  // It says so; or its step was under way when it froze, and Postgres has ended that transaction.
  await frozen.logged((line) => line.msg.startsWith('the sweep was taken over by another instance') || (line.msg === 'work failed' && line['work'] === 'sweep'));
  await statusShows(world, (report) => report.instances.length === 2);
  await expectExactlyOneWalletEach(world, [...first, ...second, ...(await stream.stop())]);

  await other.stop();
  const last = await world.signUps(10);
  await expectExactlyOneWalletEach(world, last);
  await frozen.stop();
  expect(await frozen.ended).toMatchObject({ code: 0 });
  expect(await count('wallet_sync.slot where leased_by is not null')).toBe(0);
});

import { afterAll, beforeAll, expect, it } from 'vitest';
import { startPostgresProxy } from '../../dev/postgresProxy.js';
import { sourceIs, startDaemonWorld, until, type DaemonWorld } from '../support/daemonWorld.js';
import { signUpsGoOn } from './going.js';
import { lasting } from './lasting.js';
import { expectExactlyOneWalletEach } from './rest.js';
import { askStatus, statusShows } from './status.js';

let world: DaemonWorld;
beforeAll(async () => {
  world = await startDaemonWorld();
});
afterAll(() => world?.stop());

const SETTINGS = { POOL_SIZE: '0', REALTIME: 'off' };
/** What status says where it can't reach the database. */
const AWAY = { kind: 'network', mend: 'check that DATABASE_URL names a running Postgres' };

it('Postgres restarted amid transactions in flight, twice: nothing is lost or doubled, and work goes on by itself', async () => {
  const daemon = world.daemon(SETTINGS);
  await sourceIs(daemon, 'notify', 'ok');
  const stream = signUpsGoOn(world, 200, { again: true });
  for (let time = 1; time <= 2; time++) {
    const past = daemon.lines.length;
    await daemon.logged((line) => line.msg === 'transaction recorded' && daemon.lines.indexOf(line) >= past);
    await world.stack.postgres.restart();
  }
  await sourceIs(daemon, 'notify', 'down');
  await statusShows(world, (report) => report.instances.length === 1 && report.instances[0]?.sources['notify']?.state === 'ok');
  await expectExactlyOneWalletEach(world, await stream.stop());
  await daemon.stop();
});

it('all LISTEN connections terminated, and no other doorbell: status shows it, who signs up meanwhile waits, and gets his wallet when it hears again', async () => {
  const daemon = world.daemon({ ...SETTINGS, BACKLOG_POLL: '600' });
  await sourceIs(daemon, 'notify', 'ok');
  const before = await world.signUps(3);
  await world.ready(before);
  const terminated = await world.stack.postgres.query('supabase_admin', "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'wallet-sync listen'");
  expect(terminated.length).toBe(1);
  world.postgresProxy.faults.refuseListening(true);
  const stream = signUpsGoOn(world);
  await statusShows(world, (report) => report.waiting > 0 && report.instances[0]?.sources['notify']?.state === 'down');
  const meanwhile = await stream.stop();
  // Nobody rings after this: only the look that follows the reconnect finds them.
  world.postgresProxy.faults.refuseListening(false);
  await world.ready(meanwhile);
  await statusShows(world, (report) => report.instances[0]?.sources['notify']?.state === 'ok');
  await expectExactlyOneWalletEach(world, [...before, ...meanwhile]);
  await daemon.stop();
});

it('Postgres frozen for 10 s amid transactions in flight: nothing is lost or doubled, work goes on by itself, and status through it fails with what is wrong', async () => {
  const daemon = world.daemon(SETTINGS);
  await sourceIs(daemon, 'notify', 'ok');
  const stream = signUpsGoOn(world);
  await daemon.logged((line) => line.msg === 'transaction recorded');
  const tenSeconds = lasting(10_000);
  world.postgresProxy.faults.freeze(true);
  const env = world.stack.env();
  const failed = await askStatus({ ...env, DATABASE_URL: world.postgresProxy.through(env['DATABASE_URL'] ?? '') });
  expect(failed).toMatchObject({ exitCode: 1, error: { ...AWAY, error: expect.stringMatching(/timeout/) as string } });
  await statusShows(world, (report) => report.waiting > 0 && (report.oldest_waiting_s ?? 0) > 5);
  await tenSeconds;
  world.postgresProxy.faults.freeze(false);
  await expectExactlyOneWalletEach(world, await stream.stop());
  await daemon.stop();
});

it('Postgres frozen for one of two instances beyond its lease: the other takes its transaction over, and what it wrote before arrives too late to harm', async () => {
  const cutOff = world.daemon(SETTINGS);
  await sourceIs(cutOff, 'notify', 'ok');
  world.stack.accessNode.faults.dropForEver(1);
  const first = await world.signUps(1);
  const recorded = await cutOff.logged((line) => line.msg === 'transaction recorded');
  const stream = signUpsGoOn(world);
  await until(10_000, () => Promise.resolve(cutOff.lines.filter((line) => line.msg === 'transaction recorded').length > 1));
  world.postgresProxy.faults.freeze(true);
  // Its own way to the database.
  const other = world.daemon({ ...SETTINGS, DATABASE_URL: world.stack.env()['DATABASE_URL'] ?? '' });
  await other.logged((line) => line.msg === 'transaction taken over' && line['txId'] === recorded['txId']);
  world.stack.accessNode.faults.clear();
  await world.ready(first);
  world.postgresProxy.faults.freeze(false);
  await statusShows(world, (report) => report.instances.length === 2);
  await expectExactlyOneWalletEach(world, [...first, ...(await stream.stop())]);

  await other.stop();
  await expectExactlyOneWalletEach(world, await world.signUps(10));
  await cutOff.stop();
});

it('status fails with exit 1 and what mends it where Postgres is away', async () => {
  const gone = await startPostgresProxy(world.stack.postgres);
  const env = world.stack.env();
  const url = gone.through(env['DATABASE_URL'] ?? '');
  await gone.stop();
  expect(await askStatus({ ...env, DATABASE_URL: url })).toMatchObject({ exitCode: 1, error: { ...AWAY, error: expect.stringMatching(/ECONNREFUSED/) as string } });
});

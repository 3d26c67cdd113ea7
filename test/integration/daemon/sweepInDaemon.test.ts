import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { randomUUID } from 'node:crypto';
import type { Daemon, LogLine } from '../../../dev/daemon.js';
import { sourceIs, startDaemonWorld, until, type DaemonWorld } from '../../support/daemonWorld.js';
import { everybody, holdSweepAt, newestCycle, type Wallet } from '../../support/sweeps.js';
import { actAs, DROP_VAULT } from '../../support/walletOwner.js';

const USERS = 60;
const PAGE = 20;
/** Nothing but the sweep and the sign-ups' own NOTIFY leads to a look. */
const SETTINGS = { POOL_SIZE: '0', PAGE_SIZE: String(PAGE), REALTIME: 'off', BACKLOG_POLL: '86400', CONFIG_EXPORT: 'off' };

let world: DaemonWorld;
let wallets: Wallet[];
beforeAll(async () => {
  world = await startDaemonWorld();
  wallets = await everybody(world, USERS);
});
afterAll(() => world?.stop());
beforeEach(async () => {
  world.stack.accessNode.faults.clear();
  // A sweep that the last test's daemons were stopped in would be resumed behind what this one has prepared.
  await owner('update wallet_sync.cycle set ended_at = clock_timestamp() where ended_at is null');
});
// Those of a test that failed, too.
afterEach(() => Promise.all(world.daemonsAlive().map((daemon) => daemon.stop())));

const owner = <Row extends Record<string, unknown>>(sql: string, params: readonly unknown[] = []) => world.stack.postgres.query<Row>('supabase_admin', sql, params);
const isSweep = (reason: string) => (line: LogLine): boolean => line.msg === 'sweep done' && line['reason'] === reason;
const sweeps = (daemons: readonly Daemon[]): LogLine[] => daemons.flatMap((daemon) => daemon.lines).filter((line) => line.msg === 'sweep done');
const users = async (): Promise<number> => Number((await owner<{ count: string }>('select count(*) from auth.users'))[0]?.count);

/** A user whom no trigger saw: he has no row. */
async function unseenUser(): Promise<string> {
  const id = randomUUID();
  await owner(`do $$ begin
    set local session_replication_role = replica;
    insert into auth.users (instance_id, id, aud, role, email, email_confirmed_at, created_at, updated_at, is_sso_user, is_anonymous)
    values ('00000000-0000-0000-0000-000000000000', '${id}', 'authenticated', 'authenticated', '${id}@example.com', clock_timestamp(), clock_timestamp(), clock_timestamp(), false, false);
  end $$`);
  return id;
}

const hasWallet = async (authId: string): Promise<boolean> => (await owner('select from public.wallet where auth_id = $1 and flow_address is not null', [authId])).length === 1;
const repaired = async (wallet: Wallet): Promise<boolean> =>
  (await owner("select from wallet_sync.transaction where kind = 'repair' and state = 'sealed' and proposer_address = $1", [wallet.address])).length === 1;

it('a sweep on start, one at each interval and one on resync mend what they find, and serve at once who has no row', async () => {
  await actAs(world, wallets[0]!, DROP_VAULT);
  const first = await unseenUser();
  const daemon = world.daemon(SETTINGS);
  await daemon.logged(isSweep('start'));
  expect(await repaired(wallets[0]!)).toBe(true);
  await until(20_000, () => hasWallet(first));

  await actAs(world, wallets[1]!, DROP_VAULT);
  const second = await unseenUser();
  await sourceIs(daemon, 'notify', 'ok');
  await owner('select wallet_sync.resync()');
  const done = await daemon.logged(isSweep('resync'));
  expect(done).toMatchObject({ vaults_created: 1, wallets_created: 1, total_wallets: USERS + 2 });
  await until(20_000, () => hasWallet(second));
  await daemon.stop();

  const timed = world.daemon({ ...SETTINGS, SYNC_INTERVAL: '5' });
  await timed.logged(isSweep('start'));
  await actAs(world, wallets[2]!, DROP_VAULT);
  const third = await unseenUser();
  await timed.logged((line) => isSweep('interval')(line) && line['wallets_created'] === 1);
  await until(20_000, () => hasWallet(third));
  await until(20_000, () => repaired(wallets[2]!));
  await timed.stop();
});

it('of two daemons one sweeps at a time, and a resync that comes meanwhile is followed by a sweep', async () => {
  const [{ last } = { last: '0' }] = await owner<{ last: string }>('select max(id) as last from wallet_sync.cycle');
  const daemons = [0, 1].map(() => world.daemon({ ...SETTINGS, SYNC_INTERVAL: '1' }));
  await Promise.all(daemons.map((daemon) => sourceIs(daemon, 'notify', 'ok')));
  await owner('select wallet_sync.resync()');
  // Which of them sweeps is left open: two that began together can meet each time, and one of them always comes first.
  await until(60_000, () => Promise.resolve(sweeps(daemons).length >= 4 && sweeps(daemons).some(isSweep('resync'))));
  await Promise.all(daemons.map((daemon) => daemon.stop()));

  const cycles = await owner<{ began_before_the_end: boolean; looked: string; ended: boolean }>(
    `select started_at < lag(ended_at) over (order by id) as began_before_the_end, total_wallets as looked, ended_at is not null as ended
     from wallet_sync.cycle where id > $1 order by id`,
    [last],
  );
  expect(cycles.length).toBeGreaterThanOrEqual(4);
  expect(cycles.filter((cycle) => cycle.began_before_the_end)).toEqual([]);
  const total = await users();
  for (const cycle of cycles.filter((each) => each.ended)) expect(Number(cycle.looked)).toBe(total);
});

it('a daemon stopped in the middle of a sweep leaves its record open, and the next one goes on from there', async () => {
  const held = await holdSweepAt(world, wallets.at(-1)!);
  const daemon = world.daemon(SETTINGS);
  await held.reached();
  const stopped = daemon.stop();
  await daemon.logged((line) => line.msg === 'stopping');
  await held.release();
  await stopped;
  expect(await daemon.ended).toMatchObject({ code: 0 });
  const brokenOff = await newestCycle(world);
  expect(brokenOff).toMatchObject({ ended: false, reason: 'start' });
  expect(brokenOff.looked).toBeGreaterThanOrEqual(2 * PAGE);

  const next = world.daemon(SETTINGS);
  expect(await next.logged((line) => line.msg === 'sweep resumed')).toMatchObject({ cycle: brokenOff.id, looked: brokenOff.looked });
  const done = await next.logged((line) => line.msg === 'sweep done');
  expect(done).toMatchObject({ id: brokenOff.id, total_wallets: await users() });
  await next.stop();
});

it('while one sweep is held in the middle, another daemon does not begin one', async () => {
  const held = await holdSweepAt(world, wallets.at(-1)!);
  const sweeper = world.daemon(SETTINGS);
  await held.reached();
  const { id } = await newestCycle(world);
  const other = world.daemon(SETTINGS);
  await sourceIs(other, 'notify', 'ok');
  await owner('select wallet_sync.resync()');
  await until(10_000, async () => (await owner('select from wallet_sync.resync_request where taken_at is null')).length === 0);
  expect(await newestCycle(world)).toMatchObject({ id, ended: false });
  await held.release();
  await sweeper.logged((line) => line.msg === 'sweep done' && line['id'] === id);
  await until(30_000, () => Promise.resolve(sweeps([sweeper, other]).some(isSweep('resync'))));
  await Promise.all([sweeper.stop(), other.stop()]);
});

it('an access node that refuses scripts, or cuts them off, for some seconds does not end the sweep', async () => {
  const { accessNode } = world.stack;
  accessNode.faults.answer(429, 3, 'script');
  accessNode.faults.cut(3, 'script');
  const before = accessNode.stats().script.calls;
  const daemon = world.daemon(SETTINGS);
  const done = await daemon.logged((line) => line.msg === 'sweep done');
  expect(done).toMatchObject({ reason: 'start', total_wallets: await users() });
  expect(accessNode.stats().script.calls - before).toBeGreaterThan(6);
  expect(daemon.lines.filter((line) => line.msg === 'work failed')).toEqual([]);
  await daemon.stop();
});

it('and nobody has got two wallets, or FLOW twice', async () => {
  expect(await world.duplicates()).toBe(0);
});

import { readFileSync } from 'node:fs';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { LogLine } from '../../../dev/daemon.js';
import { COUNTER_NAMES } from '../../../src/journal/cycles.js';
import { startCommand } from '../../support/command.js';
import { sourceIs, startDaemonWorld, until, type DaemonWorld } from '../../support/daemonWorld.js';
import { underLoad } from '../../support/load.js';
import { everybody, holdSweepAt, newestCycle, type Wallet } from '../../support/sweeps.js';
import { actAs, DROP_VAULT } from '../../support/walletOwner.js';

const USERS = 30;
const SETTINGS = { POOL_SIZE: '0', PAGE_SIZE: '10', CONFIG_EXPORT: 'off' };

let world: DaemonWorld;
let wallets: Wallet[];
beforeAll(async () => {
  world = await startDaemonWorld();
  wallets = await everybody(world, USERS);
});
afterAll(() => world?.stop());
afterEach(async () => {
  world.stack.accessNode.faults.clear();
  await Promise.all(world.daemonsAlive().map((daemon) => daemon.stop()));
});

const owner = <Row extends Record<string, unknown>>(sql: string, params: readonly unknown[] = []) => world.stack.postgres.query<Row>('supabase_admin', sql, params);
const steps = (lines: readonly LogLine[]): unknown[] => lines.filter((line) => line.msg === 'start-up step done').map((line) => line['step']);

describe('a start', () => {
  /** Of a process, in milliseconds; its own, whatever else the machine does. */
  function cpuOf(pid: number): number {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
    return (Number(fields[11]) + Number(fields[12])) * 10;
  }

  it('listens within 1.5 s of the process start, and tells each step in order with its time', async () => {
    const wall: number[] = [];
    const cpu: number[] = [];
    for (let start = 0; start < 3; start += 1) {
      const began = performance.now();
      const daemon = world.daemon(SETTINGS);
      const line = await daemon.logged((each) => each['step'] === 'listening');
      wall.push(performance.now() - began);
      cpu.push(cpuOf(daemon.pid));
      expect(line['sinceStartMs']).toBeTypeOf('number');
      await daemon.logged((each) => each.msg === 'sweep done');
      const told = steps(daemon.lines);
      expect(told.slice(0, 6)).toEqual(['signals', 'folders', 'environment', 'database', 'Flow configuration', 'funding accounts']);
      // These three go on beside each other; no sweep begins before a source has proved itself.
      expect(told.slice(6).sort()).toEqual(['backlog', 'first sweep begun', 'listening']);
      await daemon.stop();
    }
    process.stdout.write(`process start to listening: best of 3 ${Math.round(Math.min(...wall))} ms, ${Math.min(...cpu)} ms of processor time\n`);
    expect(Math.min(...cpu)).toBeLessThan(1_500);
    expect(Math.min(...wall)).toBeLessThan(underLoad(1_500));
  });

  it('whose ACCOUNTS_DIR cannot be used is refused, with what mends it', async () => {
    const daemon = world.daemon({ ...SETTINGS, CONFIG_EXPORT: 'on', ACCOUNTS_DIR: world.stack.env()['FLOW_JSON'] ?? '' });
    const { code, stderr } = await daemon.ended;
    expect(code).toBe(2);
    expect(stderr).toMatch(/ACCOUNTS_DIR.*cannot be used[\s\S]*mend: .*CONFIG_EXPORT=off/);
  });

  it('that waits for a database is ended by SIGTERM at once', async () => {
    world.postgresProxy.faults.freeze(true);
    try {
      const daemon = world.daemon(SETTINGS);
      await daemon.logged((line) => line['step'] === 'environment');
      const asked = performance.now();
      daemon.kill('SIGTERM');
      expect(await daemon.ended).toMatchObject({ code: 0, stderr: '' });
      expect(performance.now() - asked).toBeLessThan(underLoad(2_000));
    } finally {
      world.postgresProxy.faults.freeze(false);
    }
  });
});

describe('status --watch', () => {
  it.each([
    ['a block each time', [], /^\S+Z, every 0\.2 s.*\n\nwallets /],
    ['with --json a line each time', ['--json'], /^\{"at":/],
  ])('elsewhere than on a terminal: %s, until Ctrl-C ends it with exit 0', async (_name, options, first) => {
    const command = startCommand([...options, 'status', '--watch', '--interval', '0.2'], { DATABASE_URL: world.stack.env()['DATABASE_URL'] ?? '' });
    await until(30_000, () => Promise.resolve(command.stdout().split(options.length === 0 ? '\nwallets ' : '{"at"').length > 3));
    command.kill('SIGINT');
    const { code, stdout, stderr } = await command.ended;
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(first);
    // No terminal: nothing that moves a cursor.
    expect(stdout).not.toContain('\x1b');
  });
});

describe('SIGTERM in the middle of a sweep with transactions in flight', () => {
  it('ends within 15 s with exit 0, the final statistics saved in the cycle and logged, and the next start resumes', async () => {
    await owner('update wallet_sync.cycle set ended_at = clock_timestamp() where ended_at is null');
    const broken = wallets.slice(0, 3);
    for (const wallet of broken) await actAs(world, wallet, DROP_VAULT);
    const held = await holdSweepAt(world, wallets.at(-1)!);
    // Their results are never told: the repairs stay in flight.
    world.stack.accessNode.faults.pendingForEver(true);
    const daemon = world.daemon(SETTINGS);
    await held.reached();
    const live = async (): Promise<number> => (await owner("select from wallet_sync.transaction where state = 'live' and kind = 'repair'")).length;
    await until(20_000, async () => (await live()) === broken.length);

    const asked = performance.now();
    daemon.kill('SIGTERM');
    await daemon.logged((line) => line.msg === 'stopping');
    await held.release();
    const { code, stderr } = await daemon.ended;
    expect(performance.now() - asked).toBeLessThan(15_000);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(await live()).toBe(broken.length);

    const last = daemon.lines.find((line) => line.msg === 'stopped');
    expect(last).toMatchObject({ msg: 'stopped', unsettled: broken.length, cycle: { reason: 'start', ended_at: null } });
    const [saved] = await owner<Record<string, string>>(`select id, ${COUNTER_NAMES.join(', ')} from wallet_sync.cycle where ended_at is null`);
    const counters = Object.fromEntries(Object.entries(saved ?? {}).map(([name, value]) => [name, Number(value)]));
    expect(last?.['cycle']).toMatchObject(counters);
    expect(counters['total_wallets']).toBeGreaterThanOrEqual(20);
    expect(last?.['transactionsSent']).toBeGreaterThanOrEqual(broken.length);

    world.stack.accessNode.faults.clear();
    const next = world.daemon(SETTINGS);
    expect(await next.logged((line) => line.msg === 'sweep resumed')).toMatchObject({ cycle: counters['id'], looked: counters['total_wallets'] });
    expect(await next.logged((line) => line.msg === 'sweep done')).toMatchObject({ id: counters['id'], total_wallets: USERS });
    await until(30_000, async () => (await live()) === 0);
    expect(await newestCycle(world)).toMatchObject({ id: counters['id'], ended: true });
    const [{ made } = { made: '' }] = await owner<{ made: string }>('select vaults_created as made from wallet_sync.cycle where id = $1', [counters['id']]);
    expect(Number(made)).toBe(broken.length);
    expect(await world.duplicates()).toBe(0);
  });
});

describe('a resync', () => {
  it('by NOTIFY from psql starts a sweep within 1 s, once although three instances hear it, and also where the NOTIFY was lost and only the row was written', async () => {
    const daemons = [0, 1, 2].map(() => world.daemon({ ...SETTINGS, REALTIME: 'off', BACKLOG_POLL: '86400' }));
    await Promise.all(daemons.map((daemon) => sourceIs(daemon, 'notify', 'ok')));
    // Their first sweeps are over: nobody is busy.
    await until(60_000, async () => daemons.some((daemon) => daemon.lines.some((line) => line.msg === 'sweep done')) && (await owner('select from wallet_sync.sweeper where leased_by is not null')).length === 0);
    const [{ last } = { last: '0' }] = await owner<{ last: string }>('select max(id) as last from wallet_sync.cycle');
    const resyncs = () => owner<{ ms: number }>("select extract(epoch from started_at - $2::timestamptz) * 1000 as ms from wallet_sync.cycle where id > $1 and reason = 'resync' order by id", [last, asked]);
    const now = async (): Promise<string> => (await owner<{ at: string }>('select clock_timestamp()::text as at'))[0]?.at ?? '';

    let asked = await now();
    await owner("notify wallet_sync_control, 'resync'");
    await Promise.all(daemons.map((daemon) => daemon.logged((line) => line.msg === 'control heard' && line['command'] === 'resync')));
    await until(20_000, async () => (await resyncs()).length > 0 && (await newestCycle(world)).ended);
    const heard = Number((await resyncs())[0]?.ms);

    asked = await now();
    await owner('insert into wallet_sync.resync_request (auth_id) values (null)');
    await until(20_000, async () => (await resyncs()).length > 1 && (await newestCycle(world)).ended);
    const read = Number((await resyncs())[1]?.ms);
    // One for each: whoever else heard it has long had its turn.
    expect((await resyncs()).length).toBe(2);
    process.stdout.write(`resync to the sweep's begin: ${Math.round(heard)} ms by NOTIFY, ${Math.round(read)} ms by the row alone\n`);
    expect(heard).toBeLessThan(underLoad(1_000));
    expect(read).toBeLessThan(underLoad(1_000));
  });

  it('whose NOTIFY was lost starts a sweep within 1 s also while the heartbeat is held up', async () => {
    const daemon = world.daemon({ ...SETTINGS, REALTIME: 'off', BACKLOG_POLL: '86400' });
    await daemon.logged((line) => line.msg === 'sweep done');
    await until(10_000, async () => (await owner('select from wallet_sync.sweeper where leased_by is not null')).length === 0);
    const holder = new pg.Client({ connectionString: world.stack.postgres.url('supabase_admin') });
    await holder.connect();
    try {
      await holder.query('begin');
      await holder.query('select from wallet_sync.instance where stopped_at is null for update');
      await until(10_000, async () => (await owner("select from pg_stat_activity where wait_event_type = 'Lock' and query like '%wallet_sync.instance%'")).length > 0);
      const times: number[] = [];
      for (let n = 0; n < 3; n += 1) {
        const [{ last } = { last: '0' }] = await owner<{ last: string }>('select max(id) as last from wallet_sync.cycle');
        const [{ at } = { at: '' }] = await owner<{ at: string }>('with asked as (insert into wallet_sync.resync_request (auth_id) values (null)) select clock_timestamp()::text as at');
        const begun = () => owner<{ ms: number }>("select extract(epoch from started_at - $2::timestamptz) * 1000 as ms from wallet_sync.cycle where id > $1 and reason = 'resync'", [last, at]);
        await until(20_000, async () => (await begun()).length > 0);
        times.push(Number((await begun())[0]?.ms));
        await until(20_000, async () => (await newestCycle(world)).ended);
      }
      process.stdout.write(`resync to the sweep's begin, the heartbeat held: ${times.map(Math.round).join(', ')} ms\n`);
      expect(Math.max(...times)).toBeLessThan(underLoad(1_000));
    } finally {
      await holder.end();
    }
  });
});

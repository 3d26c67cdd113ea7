import { randomUUID } from 'node:crypto';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startDaemon } from '../../dev/daemon.js';
import { signUpMany } from '../../dev/signUp.js';
import { startStack, type Stack } from '../../dev/stack.js';
import { createAssigner } from '../../src/handlers/assign.js';
import { checkFunders } from '../../src/handlers/checkFunders.js';
import { createScriptSize } from '../../src/handlers/sweep/scriptSize.js';
import { sweep } from '../../src/handlers/sweep/sweep.js';
import { COUNTER_NAMES } from '../../src/journal/cycles.js';
import { readHistory, recordMinute, type ProcessMinute } from '../../src/journal/history.js';
import { BRISK, LARGE } from '../../src/journal/metrics.js';
import { pruneJournal } from '../../src/journal/prune.js';
import { readStatus } from '../../src/journal/report.js';
import { createMetrics, type Metrics } from '../../src/metrics/metrics.js';
import { startRecorder } from '../../src/metrics/recorder.js';
import type { ServiceEvent } from '../../src/telemetry/events.js';
import { openUsers } from '../../src/users/openUsers.js';
import { until } from '../support/daemonWorld.js';
import { startInProcess, type InProcess } from '../support/inProcess.js';

const SIGN_UPS = 500;
const POOL = 20;

let stack: Stack;
let ann: InProcess;
let metrics: Metrics;
const events: ServiceEvent[] = [];
const sql = <Row extends Record<string, unknown>>(text: string, params: readonly unknown[] = []) => stack.postgres.query<Row>('supabase_admin', text, params);
const one = async (text: string): Promise<number> => Number(Object.values((await sql(text))[0]!)[0]);

/** The value of each series, by its line's beginning. */
async function scrape(): Promise<Map<string, number>> {
  const { body } = await metrics.text();
  return new Map(body.split('\n').filter((line) => line !== '' && !line.startsWith('#')).map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ') + 1))]));
}

/** Makes accounts until everybody is served and the pool is full, as the reactor does. */
async function serveAll(): Promise<void> {
  const assigner = createAssigner(ann.instance, { onAssigned: () => undefined, onUnserved: () => undefined, ringLater: () => undefined });
  await until(120_000, async () => {
    await ann.maker.startBatches();
    await assigner.look([{ authId: null, source: 'notify' }], new AbortController().signal);
    return (await one('select count(*) from wallet_sync.waiting')) === 0 && ann.follower.unsettled().length === 0 && (await one("select count(*) from wallet_sync.account where state = 'free'")) >= POOL;
  });
}

const runSweep = () =>
  sweep(ann.instance, {
    reason: 'test', resumes: false, signal: new AbortController().signal, follower: ann.follower, openUsers: () => openUsers(ann.instance), size: createScriptSize(),
  });

beforeAll(async () => {
  stack = await startStack({ blockTimeMs: 200, funders: 5 });
  ann = await startInProcess(stack, { settings: { POOL_SIZE: String(POOL) } });
  ann.instance.telemetry.events$.subscribe((event) => events.push(event));
  metrics = createMetrics(ann.instance, { readEveryMs: 0 });
  await signUpMany(stack.authPool, SIGN_UPS);
  await serveAll();
  await runSweep();
  await until(60_000, () => Promise.resolve(ann.follower.unsettled().length === 0));
  // Three who wait and one whose wallet does not add up.
  await signUpMany(stack.authPool, 4);
  await sql("insert into wallet_sync.user_state (auth_id, state, reason) select auth_id, 'corrupted', 'a test' from public.wallet order by id desc limit 1");
  await nextTurn();
});
afterAll(async () => {
  metrics?.stop();
  await ann?.stop();
  await stack?.stop();
});

describe('after 500 sign-ups the metrics', () => {
  it('agree with SQL in every number that SQL can tell', async () => {
    const shown = await scrape();
    const told = new Map<string, number>();
    const state = await readStatus(ann.instance.journal);
    for (const name of ['ready', 'waiting', 'corrupted', 'orphaned'] as const) told.set(`wallet_sync_users{state="${name}"}`, state[name]);
    for (const { state: name, count } of await sql<{ state: string; count: string }>('select s.state, count(a.id) from unnest(enum_range(null::wallet_sync.account_state)) s(state) left join wallet_sync.account a on a.state = s.state group by 1')) {
      told.set(`wallet_sync_accounts{state="${name}"}`, Number(count));
    }
    told.set('wallet_sync_pool_free', await one("select count(*) from wallet_sync.account where state = 'free'"));
    told.set('wallet_sync_slots{state="free"}', state.slots_free);
    told.set('wallet_sync_slots_free', state.slots_free);
    told.set('wallet_sync_transactions_unsealed', state.live_transactions);
    told.set('wallet_sync_paused', 0);
    told.set('wallet_sync_instances', state.instances.length);
    for (const { kind, end, count } of await sql<{ kind: string; end: string; count: string }>("select kind, state::text as end, count(*) from wallet_sync.transaction where state in ('sealed', 'failed') group by 1, 2")) {
      told.set(`wallet_sync_transactions_total{kind="${kind}",end="${end}"}`, Number(count));
    }
    for (const kind of ['create', 'fund', 'repair', 'add-keys']) told.set(`wallet_sync_transactions_given_up{kind="${kind}"}`, await one(`select count(*) from wallet_sync.transaction where state = 'given_up' and kind = '${kind}'`));
    for (const name of COUNTER_NAMES) told.set(`wallet_sync_cycle_${name}_total`, await one(`select sum(${name}) from wallet_sync.cycle`));
    told.set('wallet_sync_cycles_total', await one('select count(*) from wallet_sync.cycle'));
    told.set('wallet_sync_sweep_ended_timestamp_seconds', await one('select extract(epoch from max(ended_at)) from wallet_sync.cycle'));
    // What this instance has done is all that was done.
    told.set('wallet_sync_ready_seconds_count{from_pool="yes"} + no', SIGN_UPS);
    told.set('wallet_sync_wallets_given_total{source="notify"}', await one("select count(*) from wallet_sync.account where delivered_by = 'notify'"));
    told.set('wallet_sync_batch_members_sum{kind="create"}', await one("select count(*) from wallet_sync.member m join wallet_sync.transaction t on t.id = m.transaction_id where t.kind = 'create'"));
    told.set('wallet_sync_seal_seconds_count{kind="create"}', await one("select count(*) from wallet_sync.transaction where kind = 'create' and state = 'sealed'"));
    shown.set('wallet_sync_ready_seconds_count{from_pool="yes"} + no', (shown.get('wallet_sync_ready_seconds_count{from_pool="yes"}') ?? 0) + (shown.get('wallet_sync_ready_seconds_count{from_pool="no"}') ?? 0));

    expect(told.get('wallet_sync_users{state="ready"}')).toBe(SIGN_UPS);
    expect(told.get('wallet_sync_users{state="waiting"}')).toBe(3);
    expect(told.get('wallet_sync_cycle_total_wallets_total')).toBe(SIGN_UPS);
    expect(Object.fromEntries([...told.keys()].map((name) => [name, shown.get(name)]))).toEqual(Object.fromEntries(told));
    expect(shown.get('wallet_sync_oldest_waiting_seconds')).toBeGreaterThan(0);
  });

  it('tell how long each user waited as the rows have it', async () => {
    const shown = await scrape();
    const waited = await one('select sum(extract(epoch from a.assigned_at - w.created_at)) from wallet_sync.account a join public.wallet w on w.auth_id = a.auth_id');
    const sum = ['yes', 'no'].reduce((total, hit) => total + (shown.get(`wallet_sync_ready_seconds_sum{from_pool="${hit}"}`) ?? 0), 0);
    expect(sum).toBeCloseTo(waited, 1);
    const ready = events.filter((event) => event.kind === 'wallet-ready');
    expect(new Set(ready.map((event) => event.authId)).size).toBe(SIGN_UPS);
    expect(ready.every((event) => event.waitedMs >= 0)).toBe(true);
  });

  it("show the funders' balances without asking the chain, and what passed to each peer", async () => {
    await checkFunders(ann.instance, new AbortController().signal);
    const calls = ann.instance.node.calls().read.calls;
    const shown = await scrape();
    expect(ann.instance.node.calls().read.calls).toBe(calls);
    for (const { name, address } of ann.instance.network.funders) {
      expect(shown.get(`wallet_sync_funder_balance_flow{funder="${name}"}`)).toBeCloseTo(Number((await ann.instance.node.account(address))!.balance) / 1e8, 4);
    }
    for (const name of ['wallet_sync_database_sent_bytes_total', 'wallet_sync_database_received_bytes_total', 'wallet_sync_database_statements_total', 'wallet_sync_process_cpu_seconds_total']) expect(shown.get(name), name).toBeGreaterThan(0);
    expect(shown.get('wallet_sync_database_pool_connections{state="idle"}')).toBeGreaterThan(0);
    const { process: own, database } = await metrics.resources();
    expect(own.rss_bytes).toBeGreaterThan(1e7);
    expect(database.size_bytes).toBeGreaterThan(1e6);
    expect(database.connections).toBeGreaterThan(0);
  });

  it('hold no secret, user or address', async () => {
    const { body } = await metrics.text();
    const { DATABASE_URL = '', SUPABASE_SERVICE_ROLE_KEY = '', WALLET_ENCRYPTION_KEY = '' } = stack.env();
    for (const secret of [new URL(DATABASE_URL).password, SUPABASE_SERVICE_ROLE_KEY, WALLET_ENCRYPTION_KEY, '0x']) expect(body).not.toContain(secret);
    const [user] = await sql<{ auth_id: string; private_key: string }>('select auth_id, private_key from wallet_sync.account where auth_id is not null limit 1');
    for (const text of [user!.auth_id, user!.private_key]) expect(body).not.toContain(text);
  });

  it('never fall when old sweeps are forgotten', async () => {
    const before = await scrape();
    await sql("update wallet_sync.cycle set started_at = started_at - interval '100 days'");
    await pruneJournal(ann.instance.journal, { cycleDays: 90, historyDays: 30 });
    expect(await one('select count(*) from wallet_sync.cycle')).toBe(0);
    const after = await scrape();
    for (const name of [...COUNTER_NAMES.map((counter) => `wallet_sync_cycle_${counter}_total`), 'wallet_sync_cycles_total', 'wallet_sync_cycle_spent_flow_total']) expect(after.get(name), name).toBe(before.get(name));
    await runSweep();
    expect((await scrape()).get('wallet_sync_cycle_total_wallets_total')).toBe(2 * SIGN_UPS + 4);
  });

  it('answer while the database does not, and say so', async () => {
    const broken = createMetrics({ ...ann.instance, journal: { ...ann.instance.journal, query: () => Promise.reject(new Error('gone')) } });
    const { body } = await broken.text();
    broken.stop();
    expect(body).toContain('wallet_sync_database_up 0');
    expect(body).toContain('wallet_sync_process_resident_memory_bytes');
    expect(body).not.toMatch(/^wallet_sync_users/m);
  });
});

describe('the history', () => {
  const processMinute = (more: Partial<ProcessMinute> = {}): ProcessMinute => ({ instanceId: randomUUID(), scripts: 2, rssBytes: 1_000, cpuRatio: 0.25, eventLoopLagMs: 3, ...more });
  const record = (which: 'last' | 'current', more: Partial<ProcessMinute> = {}) => recordMinute(ann.instance.journal, { ...processMinute(more), which, afterWalletId: 0 });
  /** Minutes turn while a test runs: what it wrote is the newest. */
  const newest = async () => (await readHistory(ann.instance.journal, { minutes: 180 })).at(-1)!;
  const clear = () => sql('delete from wallet_sync.history');

  it('adds what processes use, and takes what the database tells once, over two instances of a minute', async () => {
    await clear();
    // All of it in one statement's minute: moved there, and nobody else's.
    await sql("update wallet_sync.account set assigned_at = date_trunc('minute', clock_timestamp()) - interval '30 s' + (auth_id is null)::integer * interval '0 s' where auth_id is not null");
    await sql("update public.wallet w set created_at = a.assigned_at - make_interval(secs => (a.assignment % 100) / 10.0) from wallet_sync.account a where a.auth_id = w.auth_id");
    const [before] = await sql<{ minute: Date }>("select date_trunc('minute', clock_timestamp()) - interval '1 minute' as minute");
    await record('last', { scripts: 2, rssBytes: 1_000, cpuRatio: 0.25, eventLoopLagMs: 3 });
    await record('last', { scripts: 5, rssBytes: 2_000, cpuRatio: 0.5, eventLoopLagMs: 9 });
    const [sample, ...others] = (await readHistory(ann.instance.journal, { minutes: 180 })).filter((each) => each.at === before!.minute.toISOString());
    expect(others).toEqual([]);
    expect(sample).toMatchObject({ ready: SIGN_UPS, waiting: 3, free: await one("select count(*) from wallet_sync.account where state = 'free'"), scripts: 7, rss_bytes: 3_000, cpu_ratio: 0.75, event_loop_lag_ms: 9 });
    const [exact] = await sql<{ p50: number; p99: number; sign_ups: string }>(
      `select 1000 * percentile_cont(0.5) within group (order by extract(epoch from a.assigned_at - w.created_at)) as p50, 1000 * percentile_cont(0.99) within group (order by extract(epoch from a.assigned_at - w.created_at)) as p99,
         (select count(*) from public.wallet where date_trunc('minute', created_at) = $1) as sign_ups
       from wallet_sync.account a join public.wallet w on w.auth_id = a.auth_id where date_trunc('minute', a.assigned_at) = $1`,
      [before!.minute],
    );
    expect(sample!.p50_ms).toBeCloseTo(exact!.p50, 3);
    expect(sample!.p99_ms).toBeCloseTo(exact!.p99, 3);
    expect(sample!.sign_ups).toBe(Number(exact!.sign_ups));
    expect(sample!.sign_ups).toBeGreaterThan(SIGN_UPS / 2);
  });

  it('counts the transactions that ended within the minute, sealed and not', async () => {
    await clear();
    await sql("update wallet_sync.transaction set settled_at = date_trunc('minute', clock_timestamp()) - interval '20 s' where state <> 'live'");
    await record('last');
    expect((await newest()).transactions_sealed).toBe(await one("select count(*) from wallet_sync.transaction where state = 'sealed'"));
    expect((await newest()).transactions_failed).toBe(await one("select count(*) from wallet_sync.transaction where state in ('failed', 'given_up')"));
  });

  it('has one row of an instance and minute, however often it is written', async () => {
    await clear();
    const instanceId = randomUUID();
    await record('last', { instanceId });
    const [first] = await sql<{ minute: Date }>('select minute from wallet_sync.history');
    await record('last', { instanceId, scripts: 9 });
    const rows = await sql<{ minute: Date; scripts: string }>('select minute, scripts from wallet_sync.history order by minute');
    // Two where the minute turned between the two.
    expect(new Set(rows.map((row) => row.minute.getTime())).size).toBe(rows.length);
    expect(rows.at(-1)!.scripts).toBe('9');
    expect(rows[0]!.minute).toEqual(first!.minute);
  });

  it('survives a restart: what the first process recorded at its end is there beside the second', async () => {
    await clear();
    const first = await startInProcess(stack);
    const recorder = startRecorder(first.instance, metrics.sample);
    for (let i = 0; i < 3; i += 1) first.instance.telemetry.emit({ kind: 'script-done', addresses: 1, durationMs: 1 });
    await nextTurn();
    await recorder.stop();
    await first.stop();
    const second = await startInProcess(stack);
    const again = startRecorder(second.instance, metrics.sample);
    second.instance.telemetry.emit({ kind: 'script-done', addresses: 1, durationMs: 1 });
    await nextTurn();
    await again.stop();
    await second.stop();
    expect((await sql('select distinct instance from wallet_sync.history')).map((row) => row['instance']).toSorted()).toEqual([first.instance.id, second.instance.id].toSorted());
    const samples = await readHistory(ann.instance.journal, { minutes: 10 });
    expect(samples.reduce((sum, each) => sum + each.scripts, 0)).toBe(4);
  });

  it('is written by a daemon as it ends', async () => {
    await clear();
    const daemon = startDaemon({ ...stack.env(), SYNC_INTERVAL: '86400', CONFIG_EXPORT: 'off', POOL_SIZE: '0' });
    await daemon.logged((line) => line['step'] === 'listening');
    await daemon.stop();
    expect(await daemon.ended).toMatchObject({ code: 0, stderr: '' });
    const [row] = await sql('select h.rss_bytes::int as rss, h.db_connections as connections from wallet_sync.history h join wallet_sync.instance i on i.id = h.instance and i.pid = $1 order by h.minute desc limit 1', [daemon.pid]);
    expect(row).toEqual({ rss: expect.any(Number) as number, connections: expect.any(Number) as number });
    expect(row!['rss']).toBeGreaterThan(5e7);
  });

  it('leaves out the minutes that nobody recorded, and forgets those past their retention', async () => {
    await clear();
    await record('current');
    for (const minutes of [2, 5, 43_201]) await sql('insert into wallet_sync.history select minute - make_interval(mins => $1), gen_random_uuid(), recorded_at, sign_ups, ready, p50_ms, p99_ms, waiting, free, transactions_sealed, transactions_failed, db_connections, scripts, rss_bytes, cpu_ratio, event_loop_lag_ms from wallet_sync.history order by minute desc limit 1', [minutes]);
    const times = (await readHistory(ann.instance.journal, { minutes: 50_000 })).map((each) => Date.parse(each.at));
    expect(times.map((time) => (times.at(-1)! - time) / 60_000)).toEqual([43_201, 5, 2, 0]);
    await pruneJournal(ann.instance.journal, { cycleDays: 90, historyDays: 30 });
    expect(await readHistory(ann.instance.journal, { minutes: 50_000 })).toHaveLength(3);
  });
});

it('with many users no count reads a table of theirs whole', async () => {
  await sql(`do $$ begin
    set local session_replication_role = replica;
    insert into auth.users (instance_id, id, aud, role, created_at, updated_at, is_sso_user, is_anonymous)
      select '00000000-0000-0000-0000-000000000000', gen_random_uuid(), 'authenticated', 'authenticated', clock_timestamp(), clock_timestamp(), false, false from generate_series(1, 20000);
    insert into wallet_sync.account (state, public_key, private_key, address, auth_id, assigned_at, assignment)
      select 'assigned', md5(id::text) || md5(id::text || 'a') || md5(id::text || 'b') || md5(id::text || 'c'), repeat('k', 150), '0x' || left(md5(id::text), 16), id, clock_timestamp(), nextval('wallet_sync.assignment')
      from auth.users u where not exists (select from public.wallet w where w.auth_id = u.id);
    insert into public.wallet (auth_id, flow_address, flow_private_key, flow_public_key)
      select auth_id, address, private_key, public_key from wallet_sync.account a where auth_id is not null and not exists (select from public.wallet w where w.auth_id = a.auth_id);
  end $$`);
  for (const table of ['public.wallet', 'wallet_sync.account', 'auth.users']) await sql(`vacuum analyze ${table}`);
  const explain = async (text: string) => (await ann.instance.journal.query(`explain ${text.replaceAll('$1', '10000')}`)).rows.map((row) => String(row['QUERY PLAN']));
  const plan = [...(await explain(BRISK)), ...(await explain(LARGE))];
  expect(plan.filter((line) => /Seq Scan on (wallet|account|users)\b/.test(line))).toEqual([]);
  expect(plan.join('\n')).toMatch(/Index Only Scan using \w+ on wallet\b/);
  expect(plan.join('\n')).toMatch(/Index Only Scan using \w+ on account\b/);
});

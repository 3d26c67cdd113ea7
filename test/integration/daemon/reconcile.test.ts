import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { randomUUID } from 'node:crypto';
import { runCommand, startCommand, type Ended } from '../../support/command.js';
import { startDaemonWorld, until, type DaemonWorld } from '../../support/daemonWorld.js';
import { everybody, holdSweepAt, newestCycle, type Wallet } from '../../support/sweeps.js';
import { actAs, DROP_VAULT, SPEND_FLOW, UNPUBLISH_BALANCE } from '../../support/walletOwner.js';

const USERS = 100;
/** Many pages. */
const PAGE = 20;
/** In 10^-8 FLOW: 0.01, below the threshold of 0.075. */
const LITTLE = 1_000_000n;
const PROGRESS = /^(\d+ %, [\d,]+ of [\d,]+ users(, [\d,]+\/s.*)?|[\d,]+ users(, [\d,]+\/s)?)$/;

let world: DaemonWorld;
let wallets: Wallet[];
let env: Record<string, string>;
beforeAll(async () => {
  world = await startDaemonWorld();
  wallets = await everybody(world, USERS);
  env = { ...world.stack.env(), PAGE_SIZE: String(PAGE), CONFIG_EXPORT: 'off' };
});
afterAll(() => world?.stop());
beforeEach(() => world.stack.accessNode.faults.clear());

const sql = <Row extends Record<string, unknown>>(text: string, params: readonly unknown[] = []) => world.stack.postgres.query<Row>('postgres', text, params);
const reconcile = (...args: string[]): Promise<Ended> => runCommand(['reconcile', ...args], env);
const linesOf = (text: string): string[] => text.split('\n').filter((line) => line !== '');
const errorOf = ({ stderr }: Ended): Record<string, unknown> => JSON.parse(linesOf(stderr).at(-1) ?? '') as Record<string, unknown>;
const broadcasts = (): number => world.stack.accessNode.stats().transaction.calls;

async function reportOf(ended: Promise<Ended>): Promise<Record<string, unknown>> {
  const { code, stdout, stderr } = await ended;
  expect({ code, stderr: code === 0 ? '' : stderr }).toEqual({ code: 0, stderr: '' });
  expect(linesOf(stdout).length).toBe(1);
  expect(linesOf(stderr).filter((line) => !PROGRESS.test(line) && !line.startsWith('{'))).toEqual([]);
  return JSON.parse(stdout) as Record<string, unknown>;
}

/** Every row of the journal and of public.wallet, with the transaction that wrote it. Not the audit log: whoever opens keys is seen there. */
async function everything(): Promise<Record<string, unknown>> {
  const tables = await sql<{ name: string }>("select format('%I.%I', schemaname, tablename) as name from pg_tables where (schemaname = 'wallet_sync' and tablename <> 'audit') or (schemaname, tablename) = ('public', 'wallet') order by 1");
  const rows: Record<string, unknown> = {};
  for (const { name } of tables) rows[name] = await sql(`select t.xmin::text as written_by, t.* from ${name} t order by t::text`);
  return rows;
}

it('on a database where no daemon has registered spending limits it is bound by its own; where it only looks it writes none', async () => {
  const [before] = await sql('select * from wallet_sync.spending_limit');
  await sql('update wallet_sync.spending_limit set set_at = null, accounts_short = null');
  const registered = () => sql<{ accounts_short: string | null }>('select accounts_short::text from wallet_sync.spending_limit where set_at is not null');
  const run = (...args: string[]) => runCommand(['reconcile', '--user', wallets[99]!.authId, '--json', ...args], { ...env, LIMIT_ACCOUNTS_SHORT: '77' });
  expect(await run('--dry-run')).toMatchObject({ code: 0 });
  expect(await registered()).toEqual([]);
  expect(await run()).toMatchObject({ code: 0 });
  expect(await registered()).toEqual([{ accounts_short: '77' }]);
  await sql('update wallet_sync.spending_limit set accounts_short = $1', [before!['accounts_short']]);
});

describe('--dry-run', () => {
  it('tells every finding, what a sweep would send and what it would cost, and writes and sends nothing', async () => {
    const [dropped, hidden, poor, keyless, rowless] = [wallets.slice(0, 3), wallets.slice(3, 5), wallets.slice(5, 9), wallets.slice(9, 10), wallets.slice(10, 12)];
    for (const wallet of dropped) await actAs(world, wallet, DROP_VAULT);
    for (const wallet of hidden) await actAs(world, wallet, UNPUBLISH_BALANCE);
    for (const wallet of poor) await actAs(world, wallet, SPEND_FLOW(LITTLE));
    await sql('update public.wallet set flow_private_key = null where auth_id = $1', [keyless[0]!.authId]);
    await sql('delete from public.wallet where auth_id = any($1)', [rowless.map((wallet) => wallet.authId)]);
    const [before, sentBefore] = [await everything(), broadcasts()];

    const found = await reportOf(reconcile('--dry-run', '--json'));
    const text = await reconcile('--dry-run');
    expect(await everything()).toEqual(before);
    expect(broadcasts()).toBe(sentBefore);

    const looked = USERS - keyless.length - rowless.length;
    expect(found).toMatchObject({
      dry_run: true, total_wallets: USERS, corrupted_wallets: 1, wallets_created: 2, waiting: 2,
      flow_balance_checks: looked, vaults_already_exist: looked - 3, synced_wallets: looked - 5, flow_funding_needed: 4, flow_funding_success: 0, vaults_created: 0,
      transactions: { fund: 1, repair: 5 }, flow: { deposits: '0.40000000' },
    });
    expect(Number((found['flow'] as { fees: string }).fees)).toBeGreaterThan(0);
    const expected = [...dropped.map((each) => `${each.authId} no vault`), ...hidden.map((each) => `${each.authId} no capability`), ...poor.map((each) => `${each.authId} low FLOW`), ...keyless.map((each) => `${each.authId} corrupted`)].sort();
    expect((found['findings'] as { authId: string; finding: string }[]).map((each) => `${each.authId} ${each.finding}`).sort()).toEqual(expected);

    expect(text.code).toBe(0);
    expect(linesOf(text.stdout).filter((line) => /^[0-9a-f-]{36} /.test(line)).length).toBe(expected.length);
    expect(text.stdout).toContain('would cost 0.4 FLOW for wallets');
    expect(linesOf(text.stderr).length).toBeGreaterThan(0);
    expect(linesOf(text.stderr).filter((line) => !PROGRESS.test(line))).toEqual([]);
  });

  it('sees afterwards that --user has mended one user alone', async () => {
    const [one, other] = [wallets[0]!, wallets[1]!];
    const report = await reportOf(reconcile('--user', one.authId, '--json'));
    expect(report).toMatchObject({ source: 'one user', total_wallets: 1, vaults_created: 1, synced_wallets: 1, unsettled: 0 });
    const repaired = await sql("select a.auth_id from wallet_sync.transaction t join wallet_sync.member m on m.transaction_id = t.id join wallet_sync.account a on a.id = m.account_id where t.kind = 'repair'");
    expect(repaired).toEqual([{ auth_id: one.authId }]);
    const left = await reportOf(reconcile('--dry-run', '--json'));
    expect(left['transactions']).toEqual({ fund: 1, repair: 4 });
    expect((left['findings'] as { authId: string }[]).some((each) => each.authId === other.authId)).toBe(true);
  });

  it('stopped by SIGINT it ends with 1 and writes nothing', async () => {
    const before = await everything();
    const hold = world.stack.accessNode.faults.holdAnswers('script');
    const command = startCommand(['reconcile', '--dry-run', '--json'], env);
    await hold.delivered;
    command.kill('SIGINT');
    hold.release();
    const ended = await command.ended;
    expect(ended.code).toBe(1);
    expect(errorOf(ended)).toMatchObject({ error: 'stopped before its end' });
    expect(await everything()).toEqual(before);
  });
});

describe('what cannot be done', () => {
  it('an id that is none ends with 2', async () => {
    const ended = await reconcile('--user', 'somebody', '--json');
    expect(ended.code).toBe(2);
    expect(errorOf(ended)).toMatchObject({ kind: 'usage', where: '--user' });
  });

  it('a user whom nobody knows ends with 1, and with what mends it', async () => {
    for (const args of [[], ['--dry-run']]) {
      const ended = await reconcile('--user', randomUUID(), '--json', ...args);
      expect(ended.code).toBe(1);
      expect(errorOf(ended)).toMatchObject({ error: expect.stringContaining('no such user') as string, mend: expect.stringContaining('auth.users') as string });
    }
  });

  it('while the service is paused nothing is sent, and a dry run looks all the same', async () => {
    await sql('select wallet_sync.set_paused(true)');
    try {
      const ended = await reconcile('--json');
      expect(ended.code).toBe(1);
      expect(errorOf(ended)).toMatchObject({ error: expect.stringContaining('paused') as string, mend: expect.stringContaining('resume') as string });
      expect(await reportOf(reconcile('--dry-run', '--json'))).toMatchObject({ total_wallets: USERS });
    } finally {
      await sql('select wallet_sync.set_paused(false)');
    }
  });

  it('while another instance sweeps it ends with 1 and says so', async () => {
    const other = randomUUID();
    await sql("insert into wallet_sync.instance (id, host, pid) values ($1, 'elsewhere', 1)", [other]);
    await sql("update wallet_sync.sweeper set leased_by = $1, epoch = epoch + 1, lease_until = clock_timestamp() + interval '1 minute'", [other]);
    const ended = await reconcile('--json');
    expect(ended.code).toBe(1);
    expect(errorOf(ended)).toMatchObject({ error: 'another instance sweeps', mend: expect.stringContaining('resync') as string });
    await sql('update wallet_sync.sweeper set leased_by = null, lease_until = null');
  });
});

describe('broken off in the middle', () => {
  /** The first user of the third page. */
  const middle = (): Wallet => wallets[2 * PAGE]!;
  const nothingLeased = async (): Promise<void> => {
    expect(await sql('select from wallet_sync.sweeper where leased_by is not null')).toEqual([]);
    expect(await sql('select from wallet_sync.slot where leased_by is not null')).toEqual([]);
  };

  it('by SIGINT it ends in order with 1, and the next one goes on from its last page and counts each user once', async () => {
    const held = await holdSweepAt(world, middle());
    const command = startCommand(['reconcile', '--json'], env);
    await held.reached();
    command.kill('SIGINT');
    await held.release();
    const ended = await command.ended;
    expect(ended.code).toBe(1);
    expect(errorOf(ended)).toMatchObject({ error: 'stopped before its end', mend: expect.stringContaining('goes on') as string });
    expect(ended.stdout).toBe('');
    await nothingLeased();
    const brokenOff = await newestCycle(world);
    expect(brokenOff).toMatchObject({ ended: false, reason: 'reconcile' });
    expect([2 * PAGE, 3 * PAGE]).toContain(brokenOff.looked);

    // One user in between takes nothing of it away.
    await reportOf(reconcile('--user', wallets[50]!.authId, '--json'));
    const resumed = await reportOf(reconcile('--json'));
    expect(resumed).toMatchObject({ cycle: brokenOff.id, total_wallets: USERS });
    await until(30_000, async () => (await sql("select from wallet_sync.transaction where state = 'live'")).length === 0);
    // What it had found and not sent is counted as such, and is the next one's.
    const [record] = await sql<Record<string, number>>('select flow_funding_needed::integer as needed, flow_funding_success::integer as success, flow_funding_errors::integer as errors from wallet_sync.cycle where id = $1', [brokenOff.id]);
    expect(record!['needed']).toBe(4);
    expect(record!['success']! + record!['errors']!).toBe(4);
    const next = await reportOf(reconcile('--json'));
    expect(next['cycle']).toBeGreaterThan(brokenOff.id);
    expect(next).toMatchObject({ total_wallets: USERS, unsettled: 0, flow_funding_needed: record!['errors'], flow_funding_success: record!['errors'] });
  });

  it('by SIGINT while the access node does not answer, it ends in order within the bound of a call', async () => {
    const hold = world.stack.accessNode.faults.holdAnswers('script');
    const command = startCommand(['reconcile', '--json'], env);
    const early = command.ended.then(({ code, stderr }) => Promise.reject(new Error(`it ended with ${code} before a script was held: ${stderr}`)));
    await Promise.race([hold.delivered, early]);
    early.catch(() => undefined);
    const stoppedAt = performance.now();
    command.kill('SIGINT');
    const ended = await command.ended;
    hold.release();
    expect(ended.code).toBe(1);
    expect(errorOf(ended)).toMatchObject({ error: 'stopped before its end' });
    expect(performance.now() - stoppedAt).toBeLessThan(15_000);
    await nothingLeased();
  });

  it('by kill -9 the next one goes on likewise, once the lease has run out', async () => {
    const held = await holdSweepAt(world, middle());
    const command = startCommand(['reconcile', '--json'], env);
    await held.reached();
    command.kill('SIGKILL');
    await command.ended;
    await held.release();
    const brokenOff = await newestCycle(world);
    expect(brokenOff).toMatchObject({ ended: false, looked: 2 * PAGE });
    expect(errorOf(await reconcile('--json'))).toMatchObject({ error: 'another instance sweeps' });
    await until(15_000, async () => (await sql('select from wallet_sync.sweeper where lease_until < clock_timestamp()')).length === 1);
    expect(await reportOf(reconcile('--json'))).toMatchObject({ cycle: brokenOff.id, total_wallets: USERS });
  });

  it('and in the end all is as it should be', async () => {
    // What the killed one had found and not sent was not counted; this one mends it.
    expect(await reportOf(reconcile('--json'))).toMatchObject({ total_wallets: USERS, unsettled: 0, errors: {} });
    const sent = broadcasts();
    expect(await reportOf(reconcile('--json'))).toMatchObject({ total_wallets: USERS, corrupted_wallets: 1, waiting: 0, synced_wallets: USERS - 1, flow_funding_needed: 0, vaults_created: 0 });
    expect(broadcasts()).toBe(sent);
    await nothingLeased();
    expect(await world.duplicates()).toBe(0);
  });
});

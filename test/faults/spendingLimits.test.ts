import { afterAll, beforeAll, expect, it } from 'vitest';
import { sealedHeight } from '../../dev/audit.js';
import type { Daemon, LogLine } from '../../dev/daemon.js';
import { parseAmount } from '../../src/flow/amount.js';
import { sourceIs, startDaemonWorld, until, type DaemonWorld } from '../support/daemonWorld.js';
import { underLoad } from '../support/load.js';
import { mostWithin, spentOnChain, sumOf, type Spent } from './spentOnChain.js';
import { statusShows } from './status.js';

const USERS = 10_000;
/** Longer than 500 accounts take on a busy machine: what is made after it belongs to the next one. */
const WINDOW_S = 120;
const ACCOUNTS = 500;
/** 500 accounts of 0.101 FLOW, and the fees that twenty unsealed transactions may have, 0.41 each. */
const FLOW = '60';
const LIMITS = { LIMIT_SHORT_WINDOW: String(WINDOW_S), LIMIT_LONG_WINDOW: '86400', LIMIT_ACCOUNTS_SHORT: String(ACCOUNTS), LIMIT_FLOW_SHORT: FLOW, LIMIT_FLOW_LONG: '1000' };
const SETTINGS = { ...LIMITS, POOL_SIZE: '0', REALTIME: 'off', CONFIG_EXPORT: 'off' };

let world: DaemonWorld;
let fromHeight: number;
beforeAll(async () => {
  world = await startDaemonWorld({ funders: 20 });
  fromHeight = (await sealedHeight(world.stack.emulator.restUrl)) + 1;
});
afterAll(() => world?.stop());

/** Sign-ups as the Auth server's rows, 100 in a statement, over as many connections as the pool has. */
async function flood(users: number): Promise<void> {
  const insert = `insert into auth.users (id, email, role, aud, email_confirmed_at, created_at)
    select id, id || '@example.com', 'authenticated', 'authenticated', clock_timestamp(), clock_timestamp() from (select gen_random_uuid() as id from generate_series(1, 100)) u`;
  let left = users / 100;
  const worker = async (): Promise<void> => {
    while (left-- > 0) await world.stack.authPool.query(insert);
  };
  await Promise.all(Array.from({ length: 8 }, worker));
}

const count = async (sql: string): Promise<number> => Number((await world.stack.servicePool.query<{ n: string }>(`select count(*) as n from ${sql}`)).rows[0]?.n);
/** What the limits have counted, and how many transactions are unsettled. */
async function countedInJournal(): Promise<{ flow: string; accounts: string; reserved: string }> {
  const { rows } = await world.stack.servicePool.query<{ flow: string; accounts: string; reserved: string }>(
    'select sum(flow)::text as flow, sum(accounts)::text as accounts, (select count(*)::text from wallet_sync.reservation) as reserved from wallet_sync.spending',
  );
  return rows[0]!;
}
const ready = (): Promise<number> => count('public.wallet where flow_address is not null');
const saying = (daemon: Daemon, msg: string, limit: string): number => daemon.lines.filter((line) => line.msg === msg && line['limit'] === limit).length;

/** By the chain's own events and time: no window holds more than a limit, and the journal has counted all of it to 10^-8 FLOW. */
async function expectWithinLimits(): Promise<Spent> {
  const { rows } = await world.stack.servicePool.query<{ address: string }>("select distinct address from wallet_sync.slot where role = 'funder'");
  const blocks = await spentOnChain(world.stack.emulator.restUrl, fromHeight, new Set(rows.map(({ address }) => address)));
  const [all, most] = [sumOf(blocks), mostWithin(WINDOW_S * 1_000, blocks)];
  expect(most.accounts).toBe(ACCOUNTS);
  expect(most.flow).toBeLessThanOrEqual(parseAmount(`${FLOW}.0`));
  expect(await countedInJournal()).toEqual({ flow: all.flow.toString(), accounts: String(all.accounts), reserved: '0' });
  return all;
}

it('10,000 sign-ups in a minute under a limit of 500 accounts a window: 500 are made, the rest wait, nothing fails, FLOW spent is exactly within the limit; after the window the work goes on by itself', async () => {
  // Past the public limits, which are not what is tested.
  const settings = { ...SETTINGS, FLOW_ACCESS_NODE: world.stack.emulator.restUrl };
  const daemons = [world.daemon(settings), world.daemon(settings)];
  await Promise.all(daemons.map((daemon) => sourceIs(daemon, 'notify', 'ok')));
  await Promise.race(daemons.map((daemon) => daemon.logged((line) => line.msg === 'sweep done')));
  const startedAt = performance.now();
  const flooded = flood(USERS).then(() => performance.now() - startedAt);
  await Promise.all([flooded, until(150_000, async () => (await ready()) >= ACCOUNTS)]);
  expect(await flooded).toBeLessThan(underLoad(60_000));
  // A row that a sign-up could not make without a wait is made by a sweep.
  expect(await world.stack.postgres.query('postgres', 'select count(*)::int as users from auth.users')).toEqual([{ users: USERS }]);

  const reached = await statusShows(world, (report) => report.limits.some((each) => each.limit === 'accounts_short' && each.reached && each.room_in_s !== null), 150_000);
  expect([reached.ready, reached.waiting]).toEqual([ACCOUNTS, reached.wallets - ACCOUNTS]);
  expect(reached.limits.find((each) => each.limit === 'accounts_short')).toMatchObject({ most: ACCOUNTS, used: ACCOUNTS, window_s: WINDOW_S });

  // A killed instance's successor has no budget of its own: the chain shows it, below.
  daemons[0]!.kill('SIGKILL');
  await daemons[0]!.ended;
  const heir = world.daemon(settings);
  await heir.logged((line) => line.msg === 'spending limit reached: the work waits');

  // The window passes: nothing else is done.
  await until(240_000, async () => (await ready()) > ACCOUNTS);
  await Promise.all([daemons[1]!, heir].map((daemon) => daemon.logged((line) => line.msg === 'spending limit is over: the work goes on')));
  await Promise.all([daemons[1]!, heir].map((daemon) => daemon.stop()));
  const spent = await expectWithinLimits();
  expect(spent.accounts).toBeGreaterThan(ACCOUNTS);

  expect(await count("wallet_sync.transaction where state in ('failed', 'given_up')")).toBe(0);
  expect(await count("wallet_sync.account where state in ('failed', 'expired', 'set_aside')")).toBe(0);
  expect(await count('wallet_sync.user_state')).toBe(0);
  for (const daemon of [...daemons, heir]) {
    // On a busy machine a lease can run out before its batch is recorded: another instance has it then, and nothing was sent.
    const isFailure = (line: LogLine): boolean => line.msg === 'work failed' || (line.msg === 'creation not started' && !/another instance meanwhile/.test(String(line['reason'])));
    expect(daemon.lines.filter(isFailure).map((line) => [line.msg, line['reason']])).toEqual([]);
    // When it was reached, and when it was over; not with each look.
    expect(saying(daemon, 'spending limit reached: the work waits', 'accounts_short')).toBeLessThanOrEqual(4);
  }
}, 600_000);

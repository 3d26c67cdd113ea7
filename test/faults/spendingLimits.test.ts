import { afterAll, beforeAll, expect, it } from 'vitest';
import { sealedHeight } from '../../dev/audit.js';
import type { Daemon } from '../../dev/daemon.js';
import { parseAmount } from '../../src/flow/amount.js';
import { sourceIs, startDaemonWorld, type DaemonWorld } from '../support/daemonWorld.js';
import { spentOnChain } from './spentOnChain.js';
import { statusShows } from './status.js';

const USERS = 10_000;
/** Longer than any machine takes for 500: it passes by what was spent being made older. */
const WINDOW_S = 3_600;
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

/** So many accounts were made, FLOW left the funders for them and for fees alone, and the journal has counted it to 10^-8. */
async function expectOnChain(accounts: number): Promise<void> {
  const { rows } = await world.stack.servicePool.query<{ address: string }>("select distinct address from wallet_sync.slot where role = 'funder'");
  const spent = await spentOnChain(world.stack.emulator.restUrl, fromHeight, new Set(rows.map(({ address }) => address)));
  expect(spent.accounts).toBe(accounts);
  expect(spent.flow).toBeLessThanOrEqual(parseAmount(`${FLOW}.0`) * BigInt(accounts / ACCOUNTS));
  expect(await countedInJournal()).toEqual({ flow: spent.flow.toString(), accounts: String(accounts), reserved: '0' });
}

it('10,000 sign-ups in a minute under a limit of 500 accounts a window: 500 are made, the rest wait, nothing fails, FLOW spent is exactly within the limit; after the window the work goes on by itself', async () => {
  const daemons = [world.daemon(SETTINGS), world.daemon(SETTINGS)];
  await Promise.all(daemons.map((daemon) => sourceIs(daemon, 'notify', 'ok')));
  await Promise.race(daemons.map((daemon) => daemon.logged((line) => line.msg === 'sweep done')));
  const startedAt = performance.now();
  await flood(USERS);
  const floodMs = performance.now() - startedAt;
  expect(floodMs).toBeLessThan(60_000);
  // A row that a sign-up could not make without a wait is made by a sweep.
  expect(await world.stack.postgres.query('postgres', 'select count(*)::int as users from auth.users')).toEqual([{ users: USERS }]);

  const reached = await statusShows(world, (report) => report.ready === ACCOUNTS && report.limits.some((each) => each.limit === 'accounts_short' && each.reached && each.room_in_s !== null), 150_000);
  expect(reached.waiting).toBe(reached.wallets - ACCOUNTS);
  expect(reached.limits.find((each) => each.limit === 'accounts_short')).toMatchObject({ most: ACCOUNTS, used: ACCOUNTS, window_s: WINDOW_S });

  // A killed instance's successor has no budget of its own: the chain shows it, below.
  daemons[0]!.kill('SIGKILL');
  await daemons[0]!.ended;
  const heir = world.daemon(SETTINGS);
  await sourceIs(heir, 'notify', 'ok');

  await Promise.race([heir, daemons[1]!].map((daemon) => daemon.logged((line) => line.msg === 'spending limit reached: the work waits')));
  expect(await ready()).toBe(ACCOUNTS);
  await expectOnChain(ACCOUNTS);

  // The window passes: nothing else is done.
  await world.stack.postgres.query('postgres', `update wallet_sync.spending set starts_at = starts_at - interval '${WINDOW_S + 60} s', ends_at = ends_at - interval '${WINDOW_S + 60} s'`);
  await statusShows(world, (report) => report.ready === 2 * ACCOUNTS && report.limits.some((each) => each.limit === 'accounts_short' && each.reached && each.room_in_s !== null), 150_000);
  await expectOnChain(2 * ACCOUNTS);

  expect(await count("wallet_sync.transaction where state in ('failed', 'given_up')")).toBe(0);
  expect(await count("wallet_sync.account where state in ('failed', 'expired', 'set_aside')")).toBe(0);
  expect(await count('wallet_sync.user_state')).toBe(0);
  for (const daemon of [...daemons, heir]) {
    expect(daemon.lines.filter((line) => ['creation not started', 'work failed'].includes(line.msg)).map((line) => [line.msg, line['reason']])).toEqual([]);
    expect(saying(daemon, 'spending limit reached: the work waits', 'accounts_short')).toBeLessThanOrEqual(4);
  }
  // When it was reached, and when it was over; not with each look.
  expect(saying(daemons[1]!, 'spending limit reached: the work waits', 'accounts_short')).toBeGreaterThan(0);
  expect(saying(daemons[1]!, 'spending limit is over: the work goes on', 'accounts_short')).toBeGreaterThan(0);
});

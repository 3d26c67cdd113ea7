import { z } from 'zod';
import { COUNTER_NAMES } from './cycles.js';
import { INSTANCE_LEASE_MS } from './instances.js';
import { readStanding } from './limits.js';
import { queryOne, queryRows, type Db } from './pool.js';

const briskRow = z.object({
  waiting: z.number(),
  oldest_waiting_s: z.number().nullable(),
  held: z.number(),
  corrupted: z.number(),
  orphaned: z.number(),
  apart: z.number(),
  free: z.number(),
  slots: z.number(),
  slots_free: z.number(),
  slots_out: z.number(),
  unsealed: z.number(),
  oldest_unsealed_s: z.number().nullable(),
  instances: z.number(),
  paused: z.boolean(),
  sweep_ended_at: z.number().nullable(),
  connections: z.number(),
});
const largeRow = z.object({ wallets: z.number(), unfilled: z.number(), half_filled: z.number(), assigned: z.number(), size_bytes: z.number() });
const accountCount = z.object({ state: z.string(), accounts: z.number() });
const transactionCount = z.object({ kind: z.string(), state: z.string(), transactions: z.number() });
const cycleTotals = z.object({ flow_spent: z.number(), cycles: z.number(), ...(Object.fromEntries(COUNTER_NAMES.map((name) => [name, z.number()])) as Record<(typeof COUNTER_NAMES)[number], z.ZodNumber>) });
// As text: an emulator's funders have more than a bigint's parser takes.
const balance = z.object({ address: z.string(), balance: z.string(), seen_at: z.number() });

/** What does not grow with the users: as fresh as somebody asks for it. Ages in seconds, times in seconds since 1970, amounts in 10^-8 FLOW. */
export type BriskMetrics = Awaited<ReturnType<typeof readBrisk>>;

/** One statement at a time, so that it holds one connection at most. */
export async function readBrisk(db: Db) {
  const total = await queryOne(db, briskRow, BRISK, [INSTANCE_LEASE_MS]);
  const accounts = await queryRows(
    db,
    accountCount,
    `select state::text, count(*) as accounts from wallet_sync.account where state in ('prepared', 'submitted', 'expired') group by 1
     union all select state::text, count(*) from wallet_sync.account where state in ('set_aside', 'failed') group by 1`,
  );
  const cycles = await queryOne(db, cycleTotals, 'select * from wallet_sync.cycle_totals');
  const balances = await queryRows(db, balance, 'select address, balance::text, extract(epoch from seen_at)::double precision as seen_at from wallet_sync.funder_balance');
  const limits = await readStanding(db);
  return { ...total, limits, openAccounts: Object.fromEntries(accounts.map((row) => [row.state, row.accounts])) as Readonly<Record<string, number>>, cycles, balances };
}

/** What must count the users. */
export type LargeMetrics = Awaited<ReturnType<typeof readLarge>>;

/** Index-only scans, no table is read whole: with a million users 1.4 s on two cores that other work kept busy (load 21). */
export async function readLarge(db: Db) {
  const { wallets, unfilled, half_filled, assigned, size_bytes } = await queryOne(db, largeRow, LARGE);
  const transactions = await queryRows(db, transactionCount, "select kind, state::text, count(*) as transactions from wallet_sync.transaction where state <> 'live' group by 1, 2");
  // What has no address and yet a key is nobody who waits, and not ready: a sweep marks it as corrupted.
  return { ready: wallets - unfilled - half_filled, assigned, size_bytes, transactions };
}

export const BRISK = `select
  (select count(*) from wallet_sync.waiting) as waiting,
  (select extract(epoch from clock_timestamp() - min(created_at))::double precision from wallet_sync.waiting) as oldest_waiting_s,
  (select count(*) from wallet_sync.user_state where state = 'held') as held,
  (select count(*) from wallet_sync.user_state where state = 'corrupted') as corrupted,
  (select count(*) from wallet_sync.user_state where state = 'orphaned') as orphaned,
  (select count(*) from wallet_sync.apart) as apart,
  (select count(*) from wallet_sync.account where state = 'free') as free,
  (select count(*) from wallet_sync.slot where role = 'funder') as slots,
  (select count(*) from wallet_sync.slot where role = 'funder' and leased_by is null and out_of_rotation is null) as slots_free,
  (select count(*) from wallet_sync.slot where role = 'funder' and out_of_rotation is not null) as slots_out,
  (select count(*) from wallet_sync.transaction where state = 'live') as unsealed,
  (select extract(epoch from clock_timestamp() - min(created_at))::double precision from wallet_sync.transaction where state = 'live') as oldest_unsealed_s,
  (select count(*) from wallet_sync.instance where stopped_at is null and seen_at > clock_timestamp() - make_interval(secs => $1::double precision / 1000)) as instances,
  (select paused from wallet_sync.control) as paused,
  (select extract(epoch from ended_at)::double precision from wallet_sync.cycle where ended_at is not null order by id desc limit 1) as sweep_ended_at,
  (select count(*) from pg_stat_activity where datname = current_database() and usename = current_user) as connections`;

export const LARGE = `select
  (select count(*) from public.wallet where auth_id is not null) as wallets,
  (select count(*) from public.wallet where flow_address is null and flow_private_key is null and flow_public_key is null and auth_id is not null) as unfilled,
  (select count(*) from wallet_sync.user_state s where s.state = 'corrupted' and exists (
     select from public.wallet w where w.auth_id = s.auth_id and w.flow_address is null and (w.flow_private_key is not null or w.flow_public_key is not null) offset 0)) as half_filled,
  (select count(*) from wallet_sync.account where auth_id is not null) as assigned,
  pg_database_size(current_database()) as size_bytes`;

import type { Db } from './pool.js';

/** What is done with is kept for so many days. */
const KEPT_DAYS = 7;

/**
 * Forgets instances that ended, resyncs that were taken, and messages that were delivered or failed, more than a week ago; the records of sweeps after
 * `cycleDays` (their counters stay in the totals), and the minutes of the history after `historyDays`; and which wallets were set apart that no row has
 * any more, and spending that no limit's window reaches. What became of accounts and transactions is kept.
 */
export async function pruneJournal(db: Db, kept: { readonly cycleDays: number; readonly historyDays: number }): Promise<void> {
  await db.query('delete from wallet_sync.cycle where started_at < clock_timestamp() - make_interval(days => $1)', [kept.cycleDays]);
  await db.query('delete from wallet_sync.history where minute < clock_timestamp() - make_interval(days => $1)', [kept.historyDays]);
  await db.query('delete from wallet_sync.apart p where not exists (select from public.wallet w where w.flow_address = p.address)');
  await db.query('select wallet_sync.prune_spending()');
  await db.query('delete from wallet_sync.webhook where settled_at < clock_timestamp() - make_interval(days => $1)', [KEPT_DAYS]);
  await db.query('delete from wallet_sync.instance where seen_at < clock_timestamp() - make_interval(days => $1)', [KEPT_DAYS]);
  await db.query('delete from wallet_sync.resync_request where taken_at < clock_timestamp() - make_interval(days => $1)', [KEPT_DAYS]);
}

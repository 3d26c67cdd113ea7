import type { Db } from './pool.js';

/** What is done with is kept for so many days. */
const KEPT_DAYS = 7;

/** Forgets instances that ended, and resyncs that were taken, more than a week ago. What became of accounts, transactions and cycles is kept. */
export async function pruneJournal(db: Db): Promise<void> {
  await db.query('delete from wallet_sync.instance where seen_at < clock_timestamp() - make_interval(days => $1)', [KEPT_DAYS]);
  await db.query('delete from wallet_sync.resync_request where taken_at < clock_timestamp() - make_interval(days => $1)', [KEPT_DAYS]);
}

import { z } from 'zod';
import { queryOne, queryRows, type Db, type Journal } from './pool.js';

/** The channel on which ready wallets are told, where that is asked for. */
export const READY_CHANNEL = 'wallet_sync_ready';
/** Wallets that one transaction tells at most. */
const WALLETS = 500;
/** Postgres refuses a payload of 8,000 bytes. */
const PAYLOAD_BYTES = 7_900;

const readyRow = z.object({ auth_id: z.string(), address: z.string() });
export type ReadyWallet = z.output<typeof readyRow>;

/**
 * Tells on {@link READY_CHANNEL} of wallets given since the last time, each once over all instances, in payloads of
 * `{"wallets": [{"auth_id", "address"}, …]}`. Returns how many; 0 too where the queue of notifications is half full: a full one would make other
 * commits fail, and they are told later.
 */
export async function notifyReady(journal: Journal): Promise<number> {
  return journal.transaction(async (db) => {
    const { is_full: isFull } = await queryOne(db, z.object({ is_full: z.boolean() }), 'select pg_notification_queue_usage() > 0.5 as is_full');
    if (isFull) return 0;
    const wallets = await queryRows(db, readyRow, "select auth_id, address from wallet_sync.follow_ready('notify', $1)", [WALLETS]);
    if (wallets.length > 0) await db.query('select pg_notify($1, payload) from unnest($2::text[]) payload', [READY_CHANNEL, payloadsOf(wallets)]);
    return wallets.length;
  });
}

/** As many payloads as it takes to keep each below what Postgres allows. */
export function payloadsOf(wallets: readonly ReadyWallet[], maxBytes = PAYLOAD_BYTES): string[] {
  const payloads: string[] = [];
  let entries: string[] = [];
  let bytes = 0;
  const close = (): void => {
    if (entries.length > 0) payloads.push(`{"wallets":[${entries.join(',')}]}`);
    [entries, bytes] = [[], '{"wallets":[]}'.length];
  };
  close();
  for (const { auth_id, address } of wallets) {
    const entry = JSON.stringify({ auth_id, address });
    if (bytes + entry.length + 1 > maxBytes) close();
    entries.push(entry);
    bytes += entry.length + 1;
  }
  close();
  return payloads;
}

/** Writes a message to the webhook for each wallet given since the last time, once over all instances. Returns how many. */
export async function queueWebhooks(db: Db): Promise<number> {
  const { rowCount } = await db.query(
    `insert into wallet_sync.webhook (id, auth_id, address, ready_at)
     select 'ready_' || r.auth_id || '_' || r.address, r.auth_id, r.address, r.ready_at from wallet_sync.follow_ready('webhook', $1) r
     on conflict (id) do nothing`,
    [WALLETS],
  );
  return rowCount ?? 0;
}

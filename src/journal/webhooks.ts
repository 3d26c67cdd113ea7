import { z } from 'zod';
import { queryOne, queryRows, type Db } from './pool.js';

const webhookRow = z.object({ id: z.string(), auth_id: z.string(), address: z.string(), ready_at: z.date(), attempts: z.number(), created_at: z.date() });

/** A message that this instance delivers now. */
export interface ClaimedWebhook {
  /** The same at each attempt. */
  readonly id: string;
  readonly authId: string;
  readonly address: string;
  readonly readyAt: Date;
  /** This one included; also the epoch of the claim. */
  readonly attempts: number;
  readonly createdAt: Date;
}

/** Takes up to `limit` messages that are due; no other instance delivers them before `leaseMs` have passed. */
export async function claimWebhooks(db: Db, limit: number, leaseMs: number): Promise<ClaimedWebhook[]> {
  const rows = await queryRows(
    db,
    webhookRow,
    `update wallet_sync.webhook w set attempts = attempts + 1, next_at = clock_timestamp() + make_interval(secs => $2::double precision / 1000)
     where w.id in (select d.id from wallet_sync.webhook d where d.state = 'pending' and d.next_at <= clock_timestamp() order by d.next_at limit $1 for update skip locked)
     returning w.id, w.auth_id, w.address, w.ready_at, w.attempts, w.created_at`,
    [limit, leaseMs],
  );
  return rows.map((row) => ({ id: row.id, authId: row.auth_id, address: row.address, readyAt: row.ready_at, attempts: row.attempts, createdAt: row.created_at }));
}

/** What became of an attempt. */
export type Attempt = { readonly kind: 'delivered' } | { readonly kind: 'failed'; readonly error: string } | { readonly kind: 'again'; readonly error: string; readonly afterMs: number };

/** Writes it, unless another instance has claimed the message since. */
export async function settleWebhook(db: Db, claimed: Pick<ClaimedWebhook, 'id' | 'attempts'>, attempt: Attempt): Promise<void> {
  const own = "where id = $1 and attempts = $2 and state = 'pending'";
  if (attempt.kind === 'again') {
    await db.query(`update wallet_sync.webhook set next_at = clock_timestamp() + make_interval(secs => $4::double precision / 1000), error = $3 ${own}`, [claimed.id, claimed.attempts, attempt.error, attempt.afterMs]);
    return;
  }
  await db.query(`update wallet_sync.webhook set state = $4, settled_at = clock_timestamp(), error = $3 ${own}`, [claimed.id, claimed.attempts, attempt.kind === 'failed' ? attempt.error : null, attempt.kind]);
}

const summaryRow = z.object({ pending: z.number(), failed: z.number(), oldest_pending_s: z.number().nullable(), last_error: z.string().nullable() });
export type WebhookSummary = z.output<typeof summaryRow>;

/** Messages that wait, and those that failed within the last week. */
export async function readWebhooks(db: Db): Promise<WebhookSummary> {
  return queryOne(
    db,
    summaryRow,
    `select
       (select count(*) from wallet_sync.webhook where state = 'pending') as pending,
       (select count(*) from wallet_sync.webhook where state = 'failed') as failed,
       (select extract(epoch from clock_timestamp() - min(created_at))::double precision from wallet_sync.webhook where state = 'pending') as oldest_pending_s,
       (select error from wallet_sync.webhook where state <> 'delivered' and error is not null order by coalesce(settled_at, next_at) desc limit 1) as last_error`,
  );
}

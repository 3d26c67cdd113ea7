import { z } from 'zod';
import { queryRows, type Db, type Journal } from './pool.js';
import { liveRow, toLive, type LiveTransaction } from './transactions.js';

/** Transactions given up within the last `withinMs` that show no end yet, at most `limit` of them, drawn anew each time: what a node that lied may still show. */
export async function givenUpTransactions(db: Db, withinMs: number, limit: number): Promise<LiveTransaction[]> {
  const rows = await queryRows(
    db,
    liveRow.extend({ settled_at: z.date() }),
    `select * from wallet_sync.transaction
     where state = 'given_up' and fee is null and settled_at > clock_timestamp() - make_interval(secs => $1::double precision / 1000)
     order by random() limit $2`,
    [withinMs, limit],
  );
  return rows.map(toLive);
}

/** A given-up transaction that has sealed after all. */
export interface LateSeal {
  readonly transaction: LiveTransaction;
  /** The block that holds it. */
  readonly sealedHeight: number;
  /** In 10^-8 FLOW. Null: not known yet. */
  readonly fee: bigint | null;
}

/** Records it as sealed, then runs `record` for its members, in one SQL transaction. Null, and nothing changed, where it is no longer given up: another instance has recorded it. */
export async function recordLateSeal<T>(journal: Journal, late: LateSeal, record: (db: Db) => Promise<T>): Promise<T | null> {
  return journal.transaction(async (db) => {
    const found = await db.query(
      "update wallet_sync.transaction set state = 'sealed', settled_at = clock_timestamp(), sealed_height = $2, fee = $3, error_kind = null, error = null where id = $1 and state = 'given_up'",
      [late.transaction.id, late.sealedHeight, late.fee === null ? null : late.fee.toString()],
    );
    return found.rowCount === 1 ? record(db) : null;
  });
}

/** A given-up transaction has sealed as failed: nothing of it exists, so it stays given up; but its fee (0: none) left the payer. Returns whether that is new. */
export async function recordLateFailure(db: Db, late: { readonly transaction: LiveTransaction; readonly sealedHeight: number; readonly fee: bigint }): Promise<boolean> {
  const found = await db.query("update wallet_sync.transaction set settled_at = clock_timestamp(), sealed_height = $2, fee = $3 where id = $1 and state = 'given_up' and fee is null", [
    late.transaction.id,
    late.sealedHeight,
    late.fee.toString(),
  ]);
  return found.rowCount === 1;
}

import { z } from 'zod';
import { queryRows, type Db } from './pool.js';

const freeRow = z.object({ id: z.number(), address: z.string(), public_key: z.string(), deposit_height: z.number().nullable() });

export interface FreeAccount {
  readonly id: number;
  readonly address: string;
  readonly publicKey: string;
  /** From this block on it is whole on chain; null: not known. */
  readonly wholeFrom: number | null;
}

/** Up to `limit` free accounts after `afterId` (exclusive), in the order in which they will be given. */
export async function freeAccounts(db: Db, afterId: number, limit: number): Promise<FreeAccount[]> {
  const rows = await queryRows(db, freeRow, "select id, address, public_key, deposit_height from wallet_sync.account where state = 'free' and id > $1 order by id limit $2", [afterId, limit]);
  return rows.map((row) => ({ id: row.id, address: row.address, publicKey: row.public_key, wholeFrom: row.deposit_height }));
}

/** Sets a free account aside, with why: it is never given. False where it is free no more. */
export async function setAside(db: Db, accountId: number, reason: string, solution: string): Promise<boolean> {
  const changed = await db.query(
    "update wallet_sync.account set state = 'set_aside', error_kind = 'chain-state', error = $2, solution = $3 where id = $1 and state = 'free'",
    [accountId, reason, solution],
  );
  return changed.rowCount === 1;
}

/** Sets a free account aside whose address stands in public.wallet already; it is never given. Returns the address; null where there is none. */
export async function setAsideDouble(db: Db, reason: string): Promise<string | null> {
  const rows = await queryRows(
    db,
    z.object({ address: z.string() }),
    `update wallet_sync.account set state = 'set_aside', error_kind = 'data', error = $1, solution = 'find out why public.wallet has its address already'
     where id = (
       select a.id from wallet_sync.account a
       where a.state = 'free' and exists (select from public.wallet w where w.flow_address = a.address)
       order by a.id limit 1 for update skip locked)
     returning address`,
    [reason],
  );
  return rows[0]?.address ?? null;
}

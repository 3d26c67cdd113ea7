import { z } from 'zod';
import { queryOne, type Db } from './pool.js';

const pageRow = z.object({ users: z.number(), last_id: z.string().nullable(), added: z.number() });

/** Makes the wallet rows that one page of users (by id, after `after`) lack. `lastId` null: there are no more users. */
export async function addMissingWallets(db: Db, after: string | null, pageSize: number): Promise<{ users: number; lastId: string | null; added: number }> {
  const row = await queryOne(db, pageRow, 'select users, last_id, added from wallet_sync.add_missing_wallets($1, $2)', [after, pageSize]);
  return { users: row.users, lastId: row.last_id, added: row.added };
}

/** Fills emptied rows of users who have an account again, from the home of record. */
export async function restoreWallets(db: Db): Promise<number> {
  return (await queryOne(db, z.object({ restored: z.number() }), 'select wallet_sync.restore_wallets() as restored')).restored;
}

const countsRow = z.object({ total: z.number(), ready: z.number(), broken: z.number() });

/** Wallet rows: all, ready ones, and corrupted ones (half-filled, or set apart with a reason). */
export async function countWallets(db: Db): Promise<{ total: number; ready: number; broken: number }> {
  return queryOne(
    db,
    countsRow,
    `select count(*) as total,
       count(*) filter (where flow_address is not null and flow_private_key is not null and flow_public_key is not null) as ready,
       count(*) filter (where (flow_address is null) <> (flow_private_key is null) or (flow_address is null) <> (flow_public_key is null)
         or exists (select from wallet_sync.user_state s where s.auth_id = w.auth_id and s.state = 'corrupted')) as broken
     from public.wallet w where auth_id is not null`,
  );
}

/** One user again from the start: a corruption found earlier is forgotten, and a missing wallet row made. */
export async function lookAgainAt(db: Db, authId: string): Promise<void> {
  await db.query('select wallet_sync.look_again($1)', [authId]);
}

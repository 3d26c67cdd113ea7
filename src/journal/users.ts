import { z } from 'zod';
import { queryOne, type Db } from './pool.js';

/** Fills emptied rows of users who have an account again, from the home of record. */
export async function restoreWallets(db: Db): Promise<number> {
  return (await queryOne(db, z.object({ restored: z.number() }), 'select wallet_sync.restore_wallets() as restored')).restored;
}

/** One user again from the start: a corruption found earlier is forgotten, a missing wallet row made, and a wallet set apart is like all others. */
export async function lookAgainAt(db: Db, authId: string): Promise<void> {
  await db.query('select wallet_sync.look_again($1)', [authId]);
  await db.query('delete from wallet_sync.apart p using public.wallet w where w.auth_id = $1 and p.address = w.flow_address', [authId]);
}

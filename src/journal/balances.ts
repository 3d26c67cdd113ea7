import { z } from 'zod';
import { queryRows, type Db } from './pool.js';

/** What a funder has, in 10^-8 FLOW. */
export interface Balance {
  readonly address: string;
  readonly balance: bigint;
}

/**
 * Keeps what the chain has just shown, for those who must not ask it, and for the funders' floor. `readMs`: how long ago the chain was asked, or
 * longer. An account that stands twice in flow.json, under two keys, counts once.
 */
export async function saveBalances(db: Db, balances: readonly Balance[], readMs: number): Promise<void> {
  await db.query(
    `select wallet_sync.save_balance(b.address, b.balance, $3) from (
       select distinct on (address) address, balance from unnest($1::text[], $2::bigint[]) seen (address, balance) order by address) b`,
    [balances.map((each) => each.address), balances.map((each) => each.balance.toString()), readMs],
  );
}

// As text: more than 90 million FLOW are more than a bigint's parser takes, and an emulator's funders have them.
const balanceRow = z.object({ address: z.string(), balance: z.string().transform(BigInt), seen_at: z.date() });

/** The funders' balances as an instance last saw them, in 10^-8 FLOW. */
export async function readBalances(db: Db): Promise<z.output<typeof balanceRow>[]> {
  return queryRows(db, balanceRow, 'select address, balance::text, seen_at from wallet_sync.funder_balance');
}

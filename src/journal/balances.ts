import { z } from 'zod';
import { queryRows, type Db } from './pool.js';

/** What a funder has, in 10^-8 FLOW. */
export interface Balance {
  readonly address: string;
  readonly balance: bigint;
}

/** Keeps what the chain has just shown, for those who must not ask it. An account that stands twice in flow.json, under two keys, counts once. */
export async function saveBalances(db: Db, balances: readonly Balance[]): Promise<void> {
  await db.query(
    `insert into wallet_sync.funder_balance (address, balance) select distinct on (address) address, balance from unnest($1::text[], $2::bigint[]) seen (address, balance) order by address
     on conflict (address) do update set balance = excluded.balance, seen_at = clock_timestamp()`,
    [balances.map((each) => each.address), balances.map((each) => each.balance.toString())],
  );
}

// As text: more than 90 million FLOW are more than a bigint's parser takes, and an emulator's funders have them.
const balanceRow = z.object({ address: z.string(), balance: z.string().transform(BigInt), seen_at: z.date() });

/** The funders' balances as an instance last saw them, in 10^-8 FLOW. */
export async function readBalances(db: Db): Promise<z.output<typeof balanceRow>[]> {
  return queryRows(db, balanceRow, 'select address, balance::text, seen_at from wallet_sync.funder_balance');
}

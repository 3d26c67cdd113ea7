import { z } from 'zod';
import { queryOne, type Db } from './pool.js';

/** FLOW that the funding accounts have spent lately. */
export interface Spending {
  /** In 10^-8 FLOW. */
  readonly spent: bigint;
  /** Over so many days: 7, or fewer where the journal is younger; at least 1. */
  readonly days: number;
}

/** What an account's creation costs beside its funding, in 10^-8 FLOW: the chain's minimum balance. */
const CREATION = 100_000n;

/**
 * What the last seven days have cost: fees and deposits of sweeps, fees of other transactions, and for each account that was made the funding that
 * one costs now. In 10^-8 FLOW.
 */
export async function readSpending(db: Db, fundingAmount: bigint): Promise<Spending> {
  const row = await queryOne(
    db,
    z.object({ swept: z.number(), fees: z.number(), made: z.number(), days: z.number() }),
    `select
       (select coalesce(sum(flow_spent), 0)::bigint from wallet_sync.cycle where started_at > since) as swept,
       (select coalesce(sum(fee), 0)::bigint from wallet_sync.transaction where settled_at > since and kind in ('create', 'add-keys')) as fees,
       (select count(*) from wallet_sync.account where free_at > since) as made,
       greatest(1, least(7, extract(epoch from clock_timestamp() - (select min(applied_at) from wallet_sync.migration)) / 86400))::double precision as days
     from (select clock_timestamp() - interval '7 days') as week (since)`,
  );
  return { spent: BigInt(row.swept) + BigInt(row.fees) + BigInt(row.made) * (fundingAmount + CREATION), days: row.days };
}

/** How many days a balance lasts at that rate; null where nothing was spent. */
export function daysLeft(balance: bigint, { spent, days }: Spending): number | null {
  return spent === 0n ? null : (Number(balance) / Number(spent)) * days;
}

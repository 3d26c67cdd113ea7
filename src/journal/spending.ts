import { z } from 'zod';
import { queryRows, type Db } from './pool.js';

const spentRow = z.object({ address: z.string(), fees: z.number(), funded: z.number(), days: z.number() });

/** What an account paid for within the last week. `fees` in 10^-8 FLOW; `funded`: wallets that it gave FLOW to; `days` since the first of it, from 1 to 7. */
export type WeekOfSpending = z.output<typeof spentRow>;

/** Who paid within the last 7 days, by address. */
export async function readSpending(db: Db): Promise<WeekOfSpending[]> {
  return queryRows(
    db,
    spentRow,
    `select coalesce(t.payer_address, t.proposer_address) as address, sum(coalesce(t.fee, 0))::bigint as fees,
       sum(case when t.kind in ('create', 'fund') then (select count(*) from wallet_sync.member m where m.transaction_id = t.id) else 0 end)::bigint as funded,
       greatest(1, extract(epoch from clock_timestamp() - min(t.settled_at)) / 86400)::double precision as days
     from wallet_sync.transaction t where t.state = 'sealed' and t.settled_at > clock_timestamp() - interval '7 days' group by 1`,
  );
}

/** How many days a balance lasts at the last week's pace of those accounts, to a tenth; null where nothing was spent. In 10^-8 FLOW; `amount`: what a wallet gets. */
export function daysLeft(balance: bigint, weeks: readonly WeekOfSpending[], amount: bigint): number | null {
  const aDay = weeks.reduce((sum, week) => sum + (week.fees + week.funded * Number(amount)) / week.days, 0);
  return aDay === 0 ? null : Math.round((Number(balance) / aDay) * 10) / 10;
}

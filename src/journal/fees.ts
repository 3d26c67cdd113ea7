import { z } from 'zod';
import { queryRows, type Db } from './pool.js';

/** Where none was paid yet: 0.0001 FLOW, about what the emulator takes for a transaction of this size. */
const GUESS = 10_000n;

/** What the last 50 sealed transactions of a kind paid on average, in 10^-8 FLOW; a guess where there was none. */
export async function averageFees(db: Db): Promise<{ fund: bigint; repair: bigint }> {
  const rows = await queryRows(
    db,
    z.object({ kind: z.string(), fee: z.number() }),
    `select k.kind, ceil(avg(t.fee))::bigint as fee from unnest(array['fund', 'repair']) as k (kind)
     cross join lateral (
       select fee from wallet_sync.transaction where kind = k.kind and state = 'sealed' and fee is not null order by settled_at desc limit 50) t
     group by 1`,
  );
  const feeOf = (kind: string): bigint => {
    const row = rows.find((each) => each.kind === kind);
    return row === undefined ? GUESS : BigInt(row.fee);
  };
  return { fund: feeOf('fund'), repair: feeOf('repair') };
}

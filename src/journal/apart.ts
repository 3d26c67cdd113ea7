import { z } from 'zod';
import { queryRows, type Db } from './pool.js';

/** What a wallet was set apart from. */
export type ApartFrom = 'check' | 'fund' | 'repair';

/** The first pause before it is tried again, alone; then twice as long each time, up to the cap. */
const FIRST_MINUTES = 15;
const CAP_MINUTES = 24 * 60;

const apartRow = z.object({ address: z.string(), work: z.enum(['check', 'fund', 'repair']), reason: z.string(), is_due: z.boolean() });

/** A wallet that failed standing alone. */
export interface Apart {
  readonly reason: string;
  /** It is time to try it again. */
  readonly isDue: boolean;
}

/** Which of these addresses are set apart, by the work. */
export async function readApart(db: Db, addresses: readonly string[]): Promise<Record<ApartFrom, Map<string, Apart>>> {
  const rows = await queryRows(db, apartRow, 'select address, work, reason, next_at <= clock_timestamp() as is_due from wallet_sync.apart where address = any($1)', [addresses]);
  const of = (work: ApartFrom): Map<string, Apart> => new Map(rows.filter((row) => row.work === work).map((row) => [row.address, { reason: row.reason, isDue: row.is_due }]));
  return { check: of('check'), fund: of('fund'), repair: of('repair') };
}

/** Sets a wallet apart, or apart for longer. */
export async function setApart(db: Db, work: ApartFrom, address: string, reason: string): Promise<void> {
  await db.query(
    `insert into wallet_sync.apart as p (address, work, reason, next_at) values ($1, $2, $3, clock_timestamp() + make_interval(mins => $4))
     on conflict (address, work) do update set reason = excluded.reason, attempts = p.attempts + 1,
       next_at = clock_timestamp() + make_interval(mins => least($5, $4 * 2 ^ least(p.attempts, 20))::integer)`,
    [address, work, reason, FIRST_MINUTES, CAP_MINUTES],
  );
}

/** These wallets are like all others again. */
export async function endApart(db: Db, work: ApartFrom, addresses: readonly string[]): Promise<void> {
  if (addresses.length > 0) await db.query('delete from wallet_sync.apart where work = $1 and address = any($2)', [work, addresses]);
}

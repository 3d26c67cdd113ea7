import type pg from 'pg';
import { readCommitTimes, type SignUp } from './signUp.js';

/** Times from a sign-up's commit to the commit of its wallet's address, in milliseconds, ascending: the database's own clock for both. */
export async function readyTimes(pool: pg.Pool, wallets: pg.Pool, signUps: readonly SignUp[]): Promise<number[]> {
  const signedUpAt = await readCommitTimes(pool, signUps);
  const ready = await wallets.query<{ auth_id: string; at: number }>(
    `select auth_id, (extract(epoch from pg_xact_commit_timestamp(xmin)) * 1000)::float8 as at
     from public.wallet where auth_id = any($1) and flow_address is not null`,
    [signUps.map((signUp) => signUp.authId)],
  );
  return ready.rows.map((row) => row.at - (signedUpAt.get(row.auth_id) ?? Number.NaN)).sort((a, b) => a - b);
}

/** The q-quantile (0 to 1) of ascending values, by nearest rank; NaN of none. */
export function quantile(ascending: readonly number[], q: number): number {
  return ascending[Math.max(0, Math.ceil(q * ascending.length) - 1)] ?? Number.NaN;
}

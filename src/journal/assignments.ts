import { z } from 'zod';
import { queryOne, queryRows, type Db } from './pool.js';

const assignmentRow = z.object({ auth_id: z.string(), address: z.string(), account_id: z.number(), delivered_by: z.string(), pool_hit: z.boolean().nullable(), waited_ms: z.number().nullable() });

export interface Assignment {
  readonly authId: string;
  readonly address: string;
  readonly accountId: number;
  /** Which source led to it. */
  readonly deliveredBy: string;
  /** It was free before he signed up. */
  readonly isPoolHit: boolean;
  /** From his row in public.wallet to the account. */
  readonly waitedMs: number;
}

export interface AssignRequest {
  readonly maxUsers: number;
  /** Which source led to this look; for users in `heard`, their own. */
  readonly via: string;
  readonly heard: Readonly<Record<string, string>>;
  /** Only this user. */
  readonly onlyUser?: string;
}

/** Gives waiting users free accounts, in order of arrival, and fills public.wallet, in one statement. */
export async function assignAccounts(db: Db, request: AssignRequest): Promise<Assignment[]> {
  const rows = await queryRows(db, assignmentRow, 'select * from wallet_sync.assign_and_tell($1, $2, $3, $4)', [
    request.maxUsers,
    request.via,
    JSON.stringify(request.heard),
    request.onlyUser ?? null,
  ]);
  return rows.map((row) => ({
    authId: row.auth_id,
    address: row.address,
    accountId: row.account_id,
    deliveredBy: row.delivered_by,
    // An older public.wallet may know no time of its rows.
    isPoolHit: row.pool_hit ?? false,
    waitedMs: Math.max(0, row.waited_ms ?? 0),
  }));
}

/** Up to `limit` users who wait, in order of arrival. */
export async function waitingUsers(db: Db, limit: number): Promise<string[]> {
  const rows = await queryRows(db, z.object({ auth_id: z.string() }), 'select auth_id from wallet_sync.waiting order by id limit $1', [limit]);
  return rows.map((row) => row.auth_id);
}

/** Whether anybody waits. One index probe. */
export async function anyoneWaiting(db: Db): Promise<boolean> {
  return (await queryOne(db, z.object({ waits: z.boolean() }), 'select exists (select from wallet_sync.waiting) as waits')).waits;
}

/** The newest row without a wallet, by its id, whether or not its user is served now; null where there is none. One index probe. */
export async function newestWaiting(db: Db): Promise<string | null> {
  const [row] = await queryRows(
    db,
    z.object({ id: z.string() }),
    `select id::text as id from public.wallet
     where flow_address is null and flow_private_key is null and flow_public_key is null and auth_id is not null order by wallet.id desc limit 1`,
    [],
  );
  return row?.id ?? null;
}

/** Sets a user apart whose row makes the assignment fail; nothing of his is changed. */
export async function markCorrupted(db: Db, authId: string, reason: string, solution: string): Promise<void> {
  await db.query(
    `insert into wallet_sync.user_state (auth_id, state, reason, solution) values ($1, 'corrupted', $2, $3)
     on conflict (auth_id) do update set state = 'corrupted', reason = excluded.reason, solution = excluded.solution`,
    [authId, reason, solution],
  );
}

/** Forgets all corruptions found earlier, and that wallets were set apart: the next look tries them again. */
export async function forgetCorrupted(db: Db): Promise<void> {
  // In the order in which all lock several of them.
  await db.query("with marked as (select auth_id from wallet_sync.user_state where state = 'corrupted' order by auth_id for update) delete from wallet_sync.user_state s using marked m where s.auth_id = m.auth_id");
  await db.query('delete from wallet_sync.apart');
}

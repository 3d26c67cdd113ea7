import { z } from 'zod';
import { queryOne, queryRows, type Db } from './pool.js';

const idRow = z.object({ auth_id: z.string() });
const idsOf = (rows: readonly z.output<typeof idRow>[]): string[] => rows.map((row) => row.auth_id);

const gonePage = z.object({ accounts: z.number(), last_id: z.string().nullable(), gone: z.array(z.string()) });

/** Of the next assigned accounts, by their user's id, the users who are no longer in auth.users and not marked yet. `lastId` null: there are no more. */
export async function readGoneUsers(db: Db, after: string | null, pageSize: number): Promise<{ lastId: string | null; gone: string[] }> {
  const row = await queryOne(db, gonePage, 'select accounts, last_id, gone from wallet_sync.gone_users($1, $2)', [after, pageSize]);
  return { lastId: row.last_id, gone: row.gone };
}

const guardRow = z.object({ users: z.number(), accepted: z.number(), asked_after: z.string().nullable() });

/** What decides whether orphans are marked: users with an account who aren't orphaned, how many orphans an operator has accepted within a day, and how far asking came. */
export async function readOrphanGuard(db: Db): Promise<{ users: number; accepted: number; askedAfter: string | null }> {
  const row = await queryOne(
    db,
    guardRow,
    `select
       (select count(*) from wallet_sync.account where auth_id is not null) - (select count(*) from wallet_sync.user_state where state = 'orphaned') as users,
       case when accepted_at > clock_timestamp() - interval '1 day' then accepted else 0 end as accepted, asked_after
     from wallet_sync.orphan_guard`,
  );
  return { users: row.users, accepted: row.accepted, askedAfter: row.asked_after };
}

/** Users to ask the Auth server for, one by one. */
export interface Asked {
  /** Without a wallet row: deleting a user empties its auth_id, so they are gone, as good as surely. */
  readonly rowless: readonly string[];
  /** How many there are of these in all. */
  readonly allRowless: number;
  /** The next of all users with an account, by id, orphans too: where public.wallet has no foreign key, nothing else tells. */
  readonly next: readonly string[];
  /** Those of `next` who are orphans. */
  readonly orphans: readonly string[];
  /** Orphans with a wallet row: a user who comes back gets one. */
  readonly back: readonly string[];
}

/** Whom to ask next, at most so many of each kind. */
export async function readAsked(db: Db, limits: { rowless: number; next: number; back: number; after: string | null }): Promise<Asked> {
  const rowless = `from wallet_sync.account a where a.auth_id is not null and not exists (select from public.wallet w where w.auth_id = a.auth_id)
    and not exists (select from wallet_sync.user_state s where s.auth_id = a.auth_id and s.state = 'orphaned')`;
  const nextAfter = (after: string | null) =>
    queryRows(
      db,
      idRow.extend({ orphaned: z.boolean() }),
      `select a.auth_id, exists (select from wallet_sync.user_state s where s.auth_id = a.auth_id and s.state = 'orphaned') as orphaned
       from wallet_sync.account a where a.auth_id > coalesce($1::uuid, '00000000-0000-0000-0000-000000000000') order by a.auth_id limit $2`,
      [after, limits.next],
    );
  const found = await nextAfter(limits.after);
  // After the last one it begins again.
  const next = found.length > 0 || limits.after === null ? found : await nextAfter(null);
  return {
    rowless: idsOf(await queryRows(db, idRow, `select a.auth_id ${rowless} order by a.auth_id limit $1`, [limits.rowless])),
    allRowless: (await queryOne(db, z.object({ all: z.number() }), `select count(*) as all ${rowless}`)).all,
    next: idsOf(next),
    orphans: idsOf(next.filter((row) => row.orphaned)),
    back: idsOf(await queryRows(db, idRow, `select s.auth_id from wallet_sync.user_state s join public.wallet w on w.auth_id = s.auth_id where s.state = 'orphaned' order by s.auth_id limit $1`, [limits.back])),
  };
}

/** Keeps how far asking came. */
export async function saveAskedAfter(db: Db, askedAfter: string | null): Promise<void> {
  await db.query('update wallet_sync.orphan_guard set asked_after = $1', [askedAfter]);
}

/** Marks users as orphaned, but for those whom auth.users shows, and uses up what was accepted. Returns how many were marked. */
export async function markOrphaned(db: Db, ids: readonly string[]): Promise<number> {
  const { marked } = await queryOne(db, z.object({ marked: z.number() }), 'select wallet_sync.mark_orphans($1) as marked', [ids]);
  await db.query('update wallet_sync.orphan_guard set refused = null, refused_at = null');
  if (marked > 0) await db.query('update wallet_sync.orphan_guard set accepted = null, accepted_at = null');
  return marked;
}

/** Keeps how many were not marked, because they were too many: what `wallet-sync orphans accept` then allows. */
export async function refuseOrphans(db: Db, count: number): Promise<void> {
  await db.query('update wallet_sync.orphan_guard set refused = $1, refused_at = clock_timestamp(), accepted = null, accepted_at = null', [count]);
}

/** Makes users of orphans whom auth.users shows again. Returns how many. */
export async function unmarkFound(db: Db): Promise<number> {
  return (await queryOne(db, z.object({ unmarked: z.number() }), 'select wallet_sync.unmark_orphans() as unmarked')).unmarked;
}

/** Makes users of these orphans. Returns how many were orphans. */
export async function unmarkOrphans(db: Db, ids: readonly string[]): Promise<number> {
  return (await db.query("delete from wallet_sync.user_state where state = 'orphaned' and auth_id = any ($1::uuid[])", [ids])).rowCount ?? 0;
}

/** Allows the next marking of as many orphans as the last sweep refused. Returns how many; null where none were refused. */
export async function acceptOrphans(db: Db): Promise<number | null> {
  const rows = await queryRows(
    db,
    z.object({ accepted: z.number() }),
    `update wallet_sync.orphan_guard set accepted = refused, accepted_at = clock_timestamp(), refused = null, refused_at = null
     where refused is not null returning accepted`,
  );
  return rows[0]?.accepted ?? null;
}

const refusedRow = z.object({ refused: z.number().nullable(), refused_at: z.date().nullable(), accepted: z.number().nullable() });

/** How many orphans the last sweep did not mark, and since when; `accepted`: what the next sweep may mark all the same. */
export async function readRefused(db: Db): Promise<z.output<typeof refusedRow>> {
  return queryOne(db, refusedRow, "select refused, refused_at, case when accepted_at > clock_timestamp() - interval '1 day' then accepted end as accepted from wallet_sync.orphan_guard");
}

import { z } from 'zod';
import { queryOne, queryRows, type Db } from './pool.js';

/** One assigned account, as the configuration file shows it. */
export interface AssignedAccount {
  readonly assignment: number;
  readonly authId: string;
  readonly address: string;
}

/** Where a reader of the assignments stands. */
export interface ExportCursor {
  /** The last place that was read. */
  readonly place: number;
  /** Every transaction before this one had ended when it was read (xid8, as text). */
  readonly horizon: string;
}

/** Before everything. */
export const EXPORT_START: ExportCursor = { place: 0, horizon: '0' };

const cursorRow = z.object({ place: z.number(), horizon: z.string() });

/**
 * Where to read on from. Places are drawn before the commit, so below the last place that was read there can be one of a transaction
 * that had not ended then, however long it took: the reader goes back to it. Also where the journal itself was made anew.
 */
export async function exportStart(db: Db, cursor: ExportCursor): Promise<ExportCursor> {
  return queryOne(
    db,
    cursorRow,
    `select pg_snapshot_xmin(pg_current_snapshot())::text as horizon, least($1::bigint,
       (select coalesce(max(assignment), 0) from wallet_sync.account),
       (select min(assignment) - 1 from wallet_sync.account where assigned_xid >= $2::xid8)) as place`,
    [cursor.place, cursor.horizon],
  );
}

/** Where a reader stands who now reads all accounts: what is given from now on comes after it. */
export async function exportEnd(db: Db): Promise<ExportCursor> {
  return queryOne(db, cursorRow, 'select pg_snapshot_xmin(pg_current_snapshot())::text as horizon, coalesce(max(assignment), 0) as place from wallet_sync.account');
}

const assignedRow = z.object({ assignment: z.number(), auth_id: z.string(), address: z.string() });

/** Up to `limit` assignments after `cursor` (exclusive), in the order in which they were given. */
export async function assignmentsAfter(db: Db, cursor: number, limit: number): Promise<AssignedAccount[]> {
  const rows = await queryRows(db, assignedRow, 'select assignment, auth_id, address from wallet_sync.account where assignment > $1 order by assignment limit $2', [cursor, limit]);
  return rows.map((row) => ({ assignment: row.assignment, authId: row.auth_id, address: row.address }));
}

/** An assigned account in the order of users. `isOrphaned`: its user is gone. */
export interface UserAccount {
  readonly authId: string;
  readonly address: string;
  readonly isOrphaned: boolean;
}

/** A user id, an address, and whether the user is gone. */
const ACCOUNT_LENGTH = 36 + 18 + 1;
const pageRow = z.object({ page: z.string().regex(/^(?:[0-9a-f-]{36}0x[0-9a-f]{16}[01])*$/) });

/**
 * All assigned accounts by user id, ascending, in pages of `limit`. A page comes as one text: as 2,000 rows of objects a pass over a
 * million accounts took 73 MB of memory.
 */
export async function* accountsByUser(db: Db, limit: number): AsyncGenerator<Iterable<UserAccount>> {
  let after: string | null = null;
  for (;;) {
    const { page }: z.output<typeof pageRow> = await queryOne(
      db,
      pageRow,
      `select coalesce(string_agg(p.auth_id || p.address || p.orphaned, '' order by p.auth_id), '') as page from (
         select a.auth_id, a.address,
           case when exists (select from wallet_sync.user_state s where s.auth_id = a.auth_id and s.state = 'orphaned') then '1' else '0' end as orphaned
         from wallet_sync.account a where a.auth_id >= $1::uuid and a.auth_id is distinct from $2::uuid order by a.auth_id limit $3
       ) p`,
      [after ?? NIL, after, limit],
    );
    if (page !== '') yield { *[Symbol.iterator]() { yield* accountsIn(page); } };
    if (page.length < limit * ACCOUNT_LENGTH) return;
    after = page.slice(-ACCOUNT_LENGTH, 36 - ACCOUNT_LENGTH);
  }
}

/** Made one by one: what lives only for a moment never makes the heap grow. */
function* accountsIn(page: string): Generator<UserAccount> {
  for (let at = 0; at < page.length; at += ACCOUNT_LENGTH) {
    yield { authId: page.slice(at, at + 36), address: page.slice(at + 36, at + 54), isOrphaned: page[at + 54] === '1' };
  }
}

/** The first id there can be. */
const NIL = '00000000-0000-0000-0000-000000000000';

/** An account's key pair; the private key is still encrypted. */
export interface SealedKey {
  readonly authId: string;
  readonly encryptedPrivateKey: string;
  readonly publicKey: string;
}

const keyRow = z.object({ auth_id: z.string(), private_key: z.string(), public_key: z.string() });

/** The keys of these users' accounts. */
export async function keysOf(db: Db, authIds: readonly string[]): Promise<SealedKey[]> {
  const rows = await queryRows(db, keyRow, 'select auth_id, private_key, public_key from wallet_sync.account where auth_id = any($1::uuid[])', [authIds]);
  return rows.map((row) => ({ authId: row.auth_id, encryptedPrivateKey: row.private_key, publicKey: row.public_key }));
}

import pg from 'pg';
import { z } from 'zod';
import type { Change } from './changes.js';
import type { Claims } from './keys.js';

/** What one reader is shown of a change. */
export interface View {
  readonly columns: readonly { readonly name: string; readonly type: string }[];
  readonly record: Readonly<Record<string, unknown>> | null;
  readonly oldRecord: Readonly<Record<string, unknown>> | null;
}

/** Answers, for one change, what each reader may see; asked once for all readers with the same claims. */
export type Viewer = (claims: Claims) => Promise<View | null>;

interface Column {
  readonly name: string;
  readonly type: string;
  readonly readable: boolean;
  /** Part of the primary key, which is not the replica identity where that is another. */
  readonly key: boolean;
}

/** pg answers several statements with one result each. */
const ResultsSchema = z.array(z.object({ rows: z.array(z.unknown()) }));

const COLUMNS = `
  select a.attname as name, t.typname as type, has_column_privilege($1, a.attrelid, a.attnum, 'select') as readable,
    exists (select from pg_index i where i.indrelid = a.attrelid and i.indisprimary and a.attnum = any(i.indkey)) as key
  from pg_attribute a join pg_type t on t.oid = a.atttypid
  where a.attrelid = to_regclass($2) and a.attnum > 0 and not a.attisdropped
    and has_schema_privilege($1, (select relnamespace from pg_class where oid = a.attrelid), 'usage')
  order by a.attnum`;

/**
 * Makes the viewers. `pool` connects as a role that may become the API roles. A role sees the columns it may select, and the row only if a
 * query as that role, with the token's claims, finds it: Postgres's own row level security decides. So a row that was deleted again is not shown.
 * A deleted row can't be looked up: like the real Realtime, its key is shown to whoever may read the key columns.
 * Where the real one sends a role without any rights an empty record with "401: Unauthorized", this one sends nothing.
 */
export function createViewers(pool: pg.Pool): (change: Change) => Viewer {
  let seenXid: number | undefined;
  return (change) => {
    const views = new Map<string, Promise<View | null>>();
    const read = async (claims: Claims): Promise<View | null> => {
      if (seenXid !== change.xid) await isInSnapshots(pool, change.xid);
      seenXid = change.xid;
      return readView(pool, change, claims);
    };
    return (claims) => {
      const key = claims.role === 'authenticated' ? `authenticated ${claims.sub ?? ''}` : claims.role;
      const known = views.get(key);
      if (known !== undefined) return known;
      const view = read(claims);
      views.set(key, view);
      return view;
    };
  };
}

async function readView(pool: pg.Pool, change: Change, claims: Claims): Promise<View | null> {
  const table = `${pg.escapeIdentifier(change.schema)}.${pg.escapeIdentifier(change.table)}`;
  const all = (await pool.query<Column>(COLUMNS, [claims.role, table])).rows;
  const columns = all.filter((column) => column.readable);
  const readable = new Set(columns.map((column) => column.name));
  const keyColumns = all.filter((column) => column.key).map((column) => column.name);
  if (readable.size === 0 || keyColumns.length === 0 || !keyColumns.every((column) => readable.has(column))) return null;
  if (change.record !== null && !(await canFind(pool, table, keyColumns, change.record, claims))) return null;

  const shown = (row: Readonly<Record<string, unknown>> | null, only?: readonly string[]): Record<string, unknown> | null =>
    row === null ? null : Object.fromEntries(Object.entries(row).filter(([name, value]) => readable.has(name) && value !== undefined && (only === undefined || only.includes(name))));
  return {
    columns: columns.map(({ name, type }) => ({ name, type })),
    record: shown(change.record),
    // Of a deleted row the key alone: whose it was can't be asked any more.
    oldRecord: shown(change.oldRecord, change.type === 'DELETE' ? keyColumns : undefined),
  };
}

/** How long the stream is usually ahead: all commits were visible 20 ms after their change came. */
const LOOK_AGAIN_MS = 5;

/**
 * The change stream can be ahead of other sessions' snapshots: about 1 in 100 inserts was not found at once. So a row is looked up only when
 * its transaction is in a new snapshot; then one look decides, and a row that the reader may not see delays nobody.
 * The stream's 32-bit xid serves as xid8 here: a database made for a test or a demo never comes to the first wrap-around.
 */
async function isInSnapshots(pool: pg.Pool, xid: number): Promise<void> {
  for (;;) {
    const looked = await pool.query<{ visible: boolean }>('select pg_visible_in_snapshot($1::text::xid8, pg_current_snapshot()) as visible', [xid]);
    if (looked.rows[0]?.visible === true) return;
    await new Promise((resolve) => setTimeout(resolve, LOOK_AGAIN_MS));
  }
}

/** One round trip, because a change waits for it: the statements go together, so their values are escaped here. */
async function canFind(pool: pg.Pool, table: string, keyColumns: readonly string[], row: Readonly<Record<string, unknown>>, claims: Claims): Promise<boolean> {
  const condition = keyColumns.map((column) => `${pg.escapeIdentifier(column)} = ${pg.escapeLiteral(String(row[column]))}`).join(' and ');
  const client = await pool.connect();
  let broken: Error | undefined;
  try {
    const results: unknown = await client.query(`
      begin read only;
      select set_config('role', ${pg.escapeLiteral(claims.role)}, true), set_config('request.jwt.claims', ${pg.escapeLiteral(JSON.stringify(claims))}, true);
      select 1 as found from ${table} where ${condition};
      rollback`);
    return ResultsSchema.parse(results)[2]?.rows.length === 1;
  } catch (error) {
    await client.query('rollback').catch((lost: Error) => (broken = lost));
    throw error;
  } finally {
    client.release(broken);
  }
}

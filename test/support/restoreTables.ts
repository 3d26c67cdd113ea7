import type { Postgres } from '../../dev/postgres.js';

/** What a backup of the service holds: users, wallets and the journal. */
const TABLES = `select c.oid::regclass::text as name,
    (select string_agg(quote_ident(a.attname), ', ' order by a.attnum) from pg_attribute a where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and a.attgenerated = '') as columns
  from pg_class c join pg_namespace n on n.oid = c.relnamespace
  where c.relkind = 'r' and (n.nspname = 'wallet_sync' or c.oid in ('public.wallet'::regclass, 'auth.users'::regclass)) order by 1`;

/** Puts every row of one database into another of the same schema, and the sequences, as a dump does: no trigger fires. */
export async function copyTables(from: Postgres, to: Postgres): Promise<void> {
  const tables = await from.query<{ name: string; columns: string }>('supabase_admin', TABLES);
  const statements: string[] = [];
  for (const { name, columns } of tables) {
    const [row] = await from.query<{ rows: string }>('supabase_admin', `select quote_literal(coalesce(json_agg(t), '[]')::text) as rows from ${name} t`);
    statements.push(`delete from ${name}`, `insert into ${name} (${columns}) overriding system value select ${columns} from json_populate_recordset(null::${name}, ${row!.rows}::json)`);
  }
  const sequences = await from.query<{ name: string; value: string }>('supabase_admin', "select format('%I.%I', schemaname, sequencename) as name, last_value::text as value from pg_sequences where schemaname in ('wallet_sync', 'public') and last_value is not null");
  for (const { name, value } of sequences) statements.push(`select setval('${name}', ${value})`);
  await to.query('supabase_admin', ['set session_replication_role = replica', ...statements, 'reset session_replication_role'].join('; '));
}

import type { Postgres } from '../../dev/postgres.js';

/** Every row of every table of the database as text, a line each, in an order of its own: what a dump would show, and what two of them are compared by. */
export async function dumpDatabase(postgres: Postgres): Promise<string> {
  const tables = await postgres.query<{ name: string }>(
    'supabase_admin',
    "select format('%I.%I', n.nspname, c.relname) as name from pg_class c join pg_namespace n on n.oid = c.relnamespace where c.relkind in ('r', 'p') and n.nspname not in ('pg_catalog', 'information_schema') and n.nspname !~ '^pg_t' order by 1",
  );
  const parts: string[] = [];
  for (const { name } of tables) {
    const rows = await postgres.query<{ row: string }>('supabase_admin', `select t::text as row from ${name} t order by 1`);
    parts.push(name, ...rows.map(({ row }) => row));
  }
  return parts.join('\n');
}

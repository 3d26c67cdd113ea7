import type { Database } from './database.js';

/** Takes away everything that sql/ has made, and all users. The role stays. */
export async function removeEverything(database: Database): Promise<void> {
  await database.asOwner('drop schema if exists wallet_sync cascade');
  await database.asOwner('drop table if exists public.wallet cascade');
  await database.postgres.query('supabase_admin', 'delete from auth.users');
}

/** Rights in an order of their own: a grant that is repeated moves to the end. */
const sorted = (rights: string): string => `(select array_agg(each::text order by each::text) from unnest(${rights}) each)`;

/** What a migration has made, as text to compare: tables with their rights, columns, constraints, indexes, functions, triggers, policies, publication. */
export async function describeSchema(database: Database): Promise<string[]> {
  const rows = await database.asOwner<{ line: string }>(`
    with ours as (select c.* from pg_class c where relnamespace = 'wallet_sync'::regnamespace or c.oid in ('public.wallet'::regclass, 'auth.users'::regclass))
    select line from (
      select format('%s %s %s rls=%s', relkind, oid::regclass, ${sorted('relacl')}, relrowsecurity) as line from ours
      union all select format('column %s.%s %s %s %s', attrelid::regclass, attname, atttypid::regtype, attnotnull, ${sorted('attacl')}) from pg_attribute a join ours on ours.oid = a.attrelid where attnum > 0 and not attisdropped
      union all select format('constraint %s %s', conrelid::regclass, pg_get_constraintdef(c.oid)) from pg_constraint c join ours on ours.oid = c.conrelid
      union all select indexdef from pg_indexes where schemaname = 'wallet_sync' or (schemaname, tablename) = ('public', 'wallet')
      union all select format('%s %s', ${sorted('proacl')}, pg_get_functiondef(p.oid)) from pg_proc p where pronamespace = 'wallet_sync'::regnamespace
      union all select pg_get_triggerdef(t.oid) || tgenabled::text from pg_trigger t join ours on ours.oid = t.tgrelid where not tgisinternal
      union all select format('policy %s %s', tablename, p) from pg_policies p where schemaname in ('wallet_sync', 'public')
      union all select format('published %s', t) from pg_publication_tables t
    ) described order by line`);
  return rows.map((row) => row.line);
}

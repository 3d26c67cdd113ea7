import type { Database } from '../../support/database.js';

/** A clock of the test's own, for the database and for this process: it stands still until it is moved. */
export interface VirtualClock {
  /** Milliseconds since 1970. */
  now(): number;
  /** Moves it on. */
  pass(ms: number): Promise<void>;
  /** A statement of the daemon's, reading this clock. */
  rewrite(sql: string): string;
}

/** Any time will do; runs that start at the same one are the same. */
const START = Date.UTC(2026, 0, 1);
const REAL = /\b(?:pg_catalog\.)?clock_timestamp\(\)/g;
const VIRTUAL = 'simulated.clock_timestamp()';

/**
 * Lets every function and default of schema wallet_sync read a clock that the test moves, so that leases end without a wait, and
 * without touching a row that a frozen instance has locked. Throws where something still reads the real one.
 */
export async function installVirtualClock(database: Database): Promise<VirtualClock> {
  const { asOwner } = database;
  await asOwner('create schema simulated');
  await asOwner('grant usage on schema simulated to public');
  await asOwner('create table simulated.clock (at timestamptz not null)');
  await asOwner("insert into simulated.clock values (to_timestamp($1::double precision / 1000))", [START]);
  await asOwner("create function simulated.clock_timestamp() returns timestamptz language sql volatile security definer set search_path = pg_catalog, pg_temp as 'select at from simulated.clock'");

  // While the clock stands still it tells nobody what came first.
  await asOwner('alter table wallet_sync.transaction add column made bigint generated always as identity');

  const functions = await asOwner<{ definition: string }>("select pg_get_functiondef(oid) as definition from pg_proc where pronamespace = 'wallet_sync'::regnamespace");
  for (const { definition } of functions) if (definition.includes('clock_timestamp()')) await asOwner(definition.replace(REAL, VIRTUAL));
  const defaults = await asOwner<{ table_name: string; column_name: string; expression: string }>(`
    select c.oid::regclass::text as table_name, a.attname as column_name, pg_get_expr(d.adbin, d.adrelid) as expression
    from pg_attrdef d join pg_class c on c.oid = d.adrelid join pg_attribute a on a.attrelid = d.adrelid and a.attnum = d.adnum
    where c.relnamespace = 'wallet_sync'::regnamespace and pg_get_expr(d.adbin, d.adrelid) like '%clock_timestamp()%'`);
  for (const { table_name, column_name, expression } of defaults) await asOwner(`alter table ${table_name} alter column ${column_name} set default ${expression.replace(REAL, VIRTUAL)}`);
  const [left] = await asOwner<{ count: number }>(`
    select count(*)::integer as count from (
      select pg_get_functiondef(oid) as text from pg_proc where pronamespace = 'wallet_sync'::regnamespace
      union all select pg_get_viewdef(oid) from pg_class where relnamespace = 'wallet_sync'::regnamespace and relkind = 'v'
    ) definitions where replace(text, '${VIRTUAL}', '') like '%clock_timestamp()%'`);
  if (left?.count !== 0) throw new Error(`${left?.count ?? 'some'} definitions still read the real clock`);

  let now = START;
  return {
    now: () => now,
    async pass(ms) {
      now += ms;
      await asOwner('update simulated.clock set at = to_timestamp($1::double precision / 1000)', [now]);
    },
    rewrite: (sql) => sql.replace(REAL, VIRTUAL),
  };
}

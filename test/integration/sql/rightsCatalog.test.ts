import type pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { signUp } from '../../../dev/signUp.js';
import { assignAccounts } from '../../../src/journal/assignments.js';
import { fillPool } from '../../support/accounts.js';
import { startDatabase, type Database } from '../../support/database.js';

/**
 * Every object of schema wallet_sync, and every column and right of public.wallet, as the catalog lists them: what a later file of sql/ adds is
 * looked at without being named here. The project is the most open one: its default privileges give all on everything new to the API's roles.
 */
let database: Database;
let own: string;
const API_ROLES = ['anon', 'authenticated'] as const;
const READABLE = ['id', 'auth_id', 'created_at', 'flow_address', 'flow_public_key'];

beforeAll(async () => {
  database = await startDatabase({ migrated: false });
  for (const kind of ['tables', 'sequences', 'functions', 'schemas', 'types']) await database.asOwner(`alter default privileges for role postgres grant all on ${kind} to public, anon, authenticated, service_role`);
  await database.migrate();
  own = (await signUp(database.auth)).authId;
  await signUp(database.auth);
  await fillPool(database.journal, 2);
  await assignAccounts(database.journal, { maxUsers: 2, via: 'poll', heard: {} });
});
afterAll(() => database?.stop());

/** What each statement ends with, as that role: the error's code, or the number of rows. Nothing of it stays. */
async function tryEach(role: string, statements: readonly string[], before = 'select 1'): Promise<Map<string, string | number>> {
  const client = await database.connect('supabase_admin');
  const ends = new Map<string, string | number>();
  try {
    await client.query('begin');
    await client.query(before);
    await client.query("select set_config('request.jwt.claims', $1, true)", [JSON.stringify({ role, sub: own })]);
    await client.query(`set local role ${role}`);
    for (const statement of statements) {
      await client.query('savepoint one');
      ends.set(statement, await client.query(statement).then((result: pg.QueryResult) => result.rowCount ?? 0, (error: pg.DatabaseError) => error.code ?? error.message));
      await client.query('rollback to savepoint one');
    }
    await client.query('rollback');
  } finally {
    await client.end();
  }
  return ends;
}

const DENIED = '42501';
/** What nobody may do, which is said before anybody's rights are asked: writing an identity column, or a view of several tables. */
const IMPOSSIBLE = ['428C9', '55000'];
/** The statements that did not end with a refusal. */
const passed = (ends: ReadonlyMap<string, string | number>): string[] => [...ends].flatMap(([statement, end]) => (end === DENIED || IMPOSSIBLE.includes(String(end)) ? [] : [`${statement}: ${end}`]));

interface Relation {
  readonly name: string;
  readonly kind: string;
  readonly columns: readonly string[];
}
const relations = (): Promise<Relation[]> =>
  database.asOwner<Relation & pg.QueryResultRow>(
    `select c.oid::regclass::text as name, c.relkind::text as kind, array(select a.attname::text from pg_attribute a where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped) as columns
     from pg_class c where c.relnamespace = 'wallet_sync'::regnamespace and c.relkind in ('r', 'p', 'v', 'm', 'f', 'S') order by 1`,
  );
const functions = async (): Promise<string[]> =>
  (
    await database.asOwner<{ call: string }>(
      `select p.oid::regproc::text || '(' || coalesce((select string_agg('null::' || format_type(t, null), ', ' order by n) from unnest(p.proargtypes) with ordinality a(t, n)), '') || ')' as call
       from pg_proc p where p.pronamespace = 'wallet_sync'::regnamespace and p.prorettype not in ('trigger'::regtype, 'event_trigger'::regtype) order by 1`,
    )
  ).map(({ call }) => `select ${call}`);

/** Each verb that a relation of that kind knows. */
function verbsOn({ name, kind, columns }: Relation): string[] {
  if (kind === 'S') return [`select * from ${name}`, `select nextval('${name}')`, `select setval('${name}', 1)`, `select currval('${name}')`, `select last_value from ${name}`];
  const [first = ''] = columns;
  return [
    `select * from ${name}`,
    `select 1 from ${name}`,
    `select count(*) from ${name}`,
    `select r from ${name} r`,
    ...columns.map((column) => `select "${column}" from ${name}`),
    ...columns.map((column) => `update ${name} set "${column}" = "${column}"`),
    `insert into ${name} default values`,
    `insert into ${name} default values returning *`,
    `delete from ${name}`,
    `delete from ${name} returning *`,
    `merge into ${name} t using (values (1)) s(x) on true when matched then delete`,
    `select "${first}" from ${name} for update`,
    `copy ${name} to stdout`,
    `copy ${name} ("${first}") from stdin`,
    ...(kind === 'v' ? [] : [`truncate ${name}`]),
    ...['access share', 'row exclusive', 'access exclusive'].map((mode) => `lock table ${name} in ${mode} mode nowait`),
    `comment on ${kind === 'v' ? 'view' : 'table'} ${name} is 'x'`,
    `grant select on ${name} to ${API_ROLES[0]}`,
  ];
}

describe.each(API_ROLES)('%s and schema wallet_sync', (role) => {
  test.each([
    ['as it is', 'select 1'],
    ['even where somebody lets it in', `grant usage on schema wallet_sync to ${role}`],
  ])('each relation refuses each verb, %s', async (_, before) => {
    const all = await relations();
    expect(all.length).toBeGreaterThan(25);
    const ends = await tryEach(role, all.flatMap(verbsOn), before);
    expect(passed(ends)).toEqual([]);
  });

  test.each([
    ['as it is', 'select 1'],
    ['even where somebody lets it in', `grant usage on schema wallet_sync to ${role}`],
  ])('each function refuses to be called, %s', async (_, before) => {
    const calls = await functions();
    expect(calls.length).toBeGreaterThan(20);
    expect(passed(await tryEach(role, calls, before))).toEqual([]);
  });

  test('no right on it stands in the catalog, nor on a trigger function', async () => {
    const rights = await database.asOwner(
      `select 'schema' as what, n.nspname::text as name from pg_namespace n where n.nspname = 'wallet_sync' and (has_schema_privilege($1, n.oid, 'usage') or has_schema_privilege($1, n.oid, 'create'))
       union all select 'relation', c.oid::regclass::text from pg_class c where c.relnamespace = 'wallet_sync'::regnamespace and c.relkind in ('r', 'p', 'v', 'm', 'f')
         and (has_table_privilege($1, c.oid, 'select, insert, update, delete, truncate, references, trigger') or has_any_column_privilege($1, c.oid, 'select, insert, update, references'))
       union all select 'sequence', c.oid::regclass::text from pg_class c where c.relnamespace = 'wallet_sync'::regnamespace and case when c.relkind = 'S' then has_sequence_privilege($1, c.oid, 'usage, select, update') else false end
       union all select 'function', p.oid::regprocedure::text from pg_proc p where p.pronamespace = 'wallet_sync'::regnamespace and has_function_privilege($1, p.oid, 'execute')`,
      [role],
    );
    expect(rights).toEqual([]);
  });
});

test('service_role finds the canaries in schema wallet_sync, and may do nothing else there', async () => {
  const all = await relations();
  const ends = await tryEach('service_role', [...all.flatMap(verbsOn), ...(await functions())]);
  expect(passed(ends).filter((line) => !/wallet_sync\.canary/.test(line))).toEqual([]);
  const reads = passed(ends).map((line) => line.replace(/: \d+$/, ''));
  expect(reads).toContain('select * from wallet_sync.canary');
  expect(reads.filter((statement) => /^(update|insert|delete|truncate|merge|comment|copy.*from|lock.*(row|access) exclusive)/.test(statement))).toEqual([]);
});

/** The rights that there are on a table, and those on a column. */
const TABLE_RIGHTS = ['select', 'insert', 'update', 'delete', 'truncate', 'references', 'trigger'];
const COLUMN_RIGHTS = ['select', 'insert', 'update', 'references'];

describe('public.wallet', () => {
  test.each(API_ROLES)('%s has, of each right on the table and on each column, what the design gives and no other', async (role) => {
    const columns = await database.asOwner<{ column: string }>("select attname::text as column from pg_attribute where attrelid = 'public.wallet'::regclass and attnum > 0 and not attisdropped");
    expect(columns.map(({ column }) => column)).toContain('flow_private_key');
    const found: string[] = [];
    for (const right of TABLE_RIGHTS) {
      const [{ has } = { has: true }] = await database.asOwner<{ has: boolean }>("select has_table_privilege($1, 'public.wallet', $2) as has", [role, right]);
      if (has) found.push(right);
    }
    for (const { column } of columns)
      for (const right of COLUMN_RIGHTS) {
        const [{ has } = { has: true }] = await database.asOwner<{ has: boolean }>("select has_column_privilege($1, 'public.wallet', $2, $3) as has", [role, column, right]);
        if (has) found.push(`${right} ${column}`);
      }
    expect(found.sort()).toEqual(role === 'anon' ? [] : READABLE.map((column) => `select ${column}`).sort());
  });

  test.each(API_ROLES)('%s is refused each verb, and each way around the private key', async (role) => {
    const [relation] = await database.asOwner<Relation & pg.QueryResultRow>(
      `select 'public.wallet' as name, 'r' as kind, array(select a.attname::text from pg_attribute a where a.attrelid = 'public.wallet'::regclass and a.attnum > 0 and not a.attisdropped) as columns`,
    );
    const allowed = role === 'anon' ? [] : [...READABLE.map((column) => `select "${column}" from public.wallet`), 'select 1 from public.wallet', 'select count(*) from public.wallet'];
    const tricks = [
      'table public.wallet',
      'select (w).flow_private_key from public.wallet w',
      'select row_to_json(w) from public.wallet w',
      'select to_jsonb(w) - $$id$$ from public.wallet w',
      'select w.* from public.wallet w',
      'select max(flow_private_key) from public.wallet',
      'select id from public.wallet group by id, flow_private_key',
      'select id from public.wallet where flow_private_key is not null',
      'select a.id from public.wallet a join public.wallet b using (flow_private_key)',
      "select query_to_xml('select flow_private_key from public.wallet', true, true, '')",
      "select table_to_xml('public.wallet', true, true, '')",
      'create view pg_temp.mine as select flow_private_key from public.wallet; select * from pg_temp.mine',
      'create temp table mine as select flow_private_key from public.wallet',
      'copy (select flow_private_key from public.wallet) to stdout',
      'explain analyze select flow_private_key from public.wallet',
      'declare c cursor for select flow_private_key from public.wallet',
      'prepare p as select flow_private_key from public.wallet; execute p',
      'do $$ begin perform flow_private_key from public.wallet; end $$',
      "create function pg_temp.f() returns text language sql as 'select flow_private_key from public.wallet limit 1'; select pg_temp.f()",
      "create function pg_temp.g() returns bigint language sql security definer as 'select count(flow_private_key) from public.wallet'; select pg_temp.g()",
      'create trigger t after insert on public.wallet for each row execute function suppress_redundant_updates_trigger()',
      "create policy p on public.wallet using (true)",
      'alter table public.wallet disable row level security',
      'drop table public.wallet',
      `insert into public.wallet (auth_id) values ('${own}') on conflict (auth_id) do update set flow_address = null`,
      'insert into public.wallet (auth_id) values (null) returning flow_private_key',
      'select lo_import($$/etc/passwd$$)',
      "select pg_read_file('postgresql.conf')",
    ];
    const ends = await tryEach(role, [...verbsOn(relation!).filter((statement) => !allowed.includes(statement)), ...tricks]);
    expect(passed(ends)).toEqual([]);
    expect([...(await tryEach(role, allowed)).values()]).toEqual(allowed.map(() => 1));
    // What writes out all it may read says nothing of the key.
    const dump = "select 1 from (select schema_to_xml('public', true, true, '')::text as all_there_is) x where all_there_is ~ 'flow_private_key|v1:'";
    expect((await tryEach(role, [dump])).get(dump)).toBe(0);
  });

  test('what the API logs in as reads nothing of its own, and becomes no role but the three', async () => {
    const client = await database.connect('authenticator');
    await expect(client.query('select id from public.wallet')).rejects.toMatchObject({ code: DENIED });
    for (const role of ['postgres', 'supabase_admin', 'wallet_sync_service', 'supabase_auth_admin']) await expect.soft(client.query(`set role ${role}`), role).rejects.toMatchObject({ code: DENIED });
    await client.end();
  });

  test('a signed-in user with row security switched off sees an error and no row', async () => {
    const statement = 'set local row_security = off; select id from public.wallet';
    expect((await tryEach('authenticated', [statement])).get(statement)).toBe(DENIED);
  });

  test.each(API_ROLES)('%s may neither read nor move the numbers of its rows', async (role) => {
    const [{ name } = { name: '' }] = await database.asOwner<{ name: string }>("select pg_get_serial_sequence('public.wallet', 'id') as name");
    expect(passed(await tryEach(role, verbsOn({ name, kind: 'S', columns: [] }).filter((statement) => !statement.includes('currval'))))).toEqual([]);
  });

  test('service_role, the key of an application\'s own server, reads every column of every row', async () => {
    const ends = await tryEach('service_role', ['select * from public.wallet', 'select flow_private_key from public.wallet']);
    expect([...ends.values()]).toEqual([2, 2]);
  });
});

import type pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { signUp } from '../../../dev/signUp.js';
import { assignAccounts } from '../../../src/journal/assignments.js';
import { fillPool } from '../../support/accounts.js';
import { startDatabase, type Database } from '../../support/database.js';

const DENIED = /permission denied/;
const READABLE = 'id, auth_id, created_at, flow_address, flow_public_key';

let database: Database;
let own: string;
let other: string;

beforeAll(async () => {
  database = await startDatabase();
  own = (await signUp(database.auth)).authId;
  other = (await signUp(database.auth)).authId;
  await fillPool(database.journal, 2);
  await assignAccounts(database.journal, { maxUsers: 2, via: 'poll', heard: {} });
});
afterAll(() => database?.stop());

/** A request as PostgREST makes it: as authenticator, in a transaction with the token's role and claims. */
async function request(role: 'anon' | 'authenticated', sub: string | null, sql: string): Promise<Record<string, unknown>[]> {
  const client = await database.connect('authenticator');
  try {
    await client.query('begin');
    await client.query("select set_config('role', $1, true), set_config('request.jwt.claims', $2, true)", [role, JSON.stringify(sub === null ? { role } : { role, sub })]);
    const result: pg.QueryResult<Record<string, unknown>> = await client.query(sql);
    await client.query('commit');
    return result.rows;
  } finally {
    await client.end();
  }
}

const WRITES = [
  "insert into public.wallet (auth_id) values (gen_random_uuid())",
  "update public.wallet set flow_address = '0x01'",
  'update public.wallet set auth_id = null',
  'delete from public.wallet',
  'truncate public.wallet',
];

describe('anon', () => {
  test.each([...READABLE.split(', '), 'flow_private_key'])('does not read public.wallet.%s', async (column) => {
    await expect(request('anon', null, `select ${column} from public.wallet`)).rejects.toThrow(DENIED);
  });
  test.each(WRITES)('is refused: %s', async (sql) => {
    await expect(request('anon', null, sql)).rejects.toThrow(DENIED);
  });
});

describe('a signed-in user', () => {
  test('reads his own row alone', async () => {
    const rows = await request('authenticated', own, `select ${READABLE} from public.wallet`);
    expect(rows.map((row) => row['auth_id'])).toEqual([own]);
    expect(await request('authenticated', own, `select id from public.wallet where auth_id = '${other}'`)).toEqual([]);
  });

  test('never reads the private key, nor select *, nor finds it by a condition or an order', async () => {
    for (const sql of [
      'select flow_private_key from public.wallet',
      'select * from public.wallet',
      'select w from public.wallet w',
      "select id from public.wallet where flow_private_key like 'v1%'",
      'select id from public.wallet order by flow_private_key',
      `insert into public.wallet (auth_id) values ('${own}') returning flow_private_key`,
    ]) {
      await expect.soft(request('authenticated', own, sql), sql).rejects.toThrow(DENIED);
    }
  });

  test.each(WRITES)('is refused: %s', async (sql) => {
    await expect(request('authenticated', own, sql)).rejects.toThrow(DENIED);
  });

  test('without a subject in his token reads nothing', async () => {
    expect(await request('authenticated', null, 'select id from public.wallet')).toEqual([]);
  });
});

test.each(['anon', 'authenticated'] as const)('schema wallet_sync is closed to %s: tables, views, functions', async (role) => {
  const objects = await database.asOwner<{ name: string; kind: string }>(
    `select c.oid::regclass::text as name, c.relkind::text as kind from pg_class c where c.relnamespace = 'wallet_sync'::regnamespace and c.relkind in ('r', 'v', 'S')`,
  );
  expect(objects.length).toBeGreaterThan(10);
  for (const { name } of objects) await expect.soft(request(role, own, `select * from ${name}`), name).rejects.toThrow(DENIED);
  for (const call of ['resync()', 'set_paused(true)', "ring(gen_random_uuid())", 'users_page(null, 10)', 'make_wallets(null)', "assign(1, 'x', '{}')", 'restore_wallets()', "greet(gen_random_uuid(), true, 1)", 'read_policy()', "is_provisioned(gen_random_uuid())"]) {
    await expect.soft(request(role, own, `select * from wallet_sync.${call}`), call).rejects.toThrow(DENIED);
  }
});

test('no function of schema wallet_sync is open to everybody', async () => {
  const open = await database.asOwner(
    `select p.oid::regprocedure::text as function from pg_proc p where p.pronamespace = 'wallet_sync'::regnamespace and has_function_privilege('anon', p.oid, 'execute')`,
  );
  expect(open).toEqual([]);
});

describe('wallet_sync_service', () => {
  test.each([
    'select id from auth.users',
    'update auth.users set email = null',
    'delete from auth.users',
    'delete from public.wallet',
    'update public.wallet set auth_id = null',
    'insert into public.wallet (auth_id, flow_address) values (null, null)',
    "update wallet_sync.account_history set to_state = 'free'",
    'delete from wallet_sync.account_history',
    "insert into wallet_sync.account_history (account_id, to_state) values (1, 'free')",
    'delete from wallet_sync.account',
    'delete from wallet_sync.transaction',
    'delete from wallet_sync.member',
    'truncate wallet_sync.account',
    'update wallet_sync.control set paused = true',
    'delete from wallet_sync.control',
    'select wallet_sync.ring(gen_random_uuid())',
    'select wallet_sync.greet(gen_random_uuid(), true, 1)',
    'select * from wallet_sync.read_policy()',
    "insert into wallet_sync.migration (name) values ('x')",
    'drop trigger zz_wallet_sync_sign_up on auth.users',
    'drop schema wallet_sync cascade',
    'create table wallet_sync.own (id integer)',
  ])('is refused: %s', async (sql) => {
    await expect(database.journal.query(sql)).rejects.toThrow(/permission denied|must be owner/);
  });

  test('finds no function that would take a type of the caller\'s own for one of Postgres: pg_temp stands last', async () => {
    const found = await database.asOwner<{ name: string }>(
      `select p.proname::text as name from pg_proc p join pg_namespace n on n.oid = p.pronamespace
       where n.nspname = 'wallet_sync' and (p.prosecdef or p.proconfig is not null) and not coalesce('search_path=pg_catalog, pg_temp' = any(p.proconfig), false)`,
    );
    expect(found).toEqual([]);
  });

  test('learns of users their id alone, and only of those who may have a wallet', async () => {
    expect(await database.asOwner("select column_name::text from information_schema.columns where table_schema = 'wallet_sync' and table_name = 'provisioned_user'")).toEqual([{ column_name: 'id' }]);
    await database.asOwner("update wallet_sync.control set provision = 'confirmed'");
    const { authId } = await signUp(database.auth, { confirmed: false });
    const seen = await database.journal.query('select id, wallet_sync.is_provisioned(id) as may from wallet_sync.provisioned_user order by id');
    expect(seen.rows).toEqual([own, other].sort().map((id) => ({ id, may: true })));
    expect((await database.journal.query('select wallet_sync.is_provisioned($1) as may', [authId])).rows).toEqual([{ may: false }]);
  });

  test('is no superuser, bypasses no row security, creates no role and is in no other', async () => {
    expect(
      await database.asOwner(
        `select rolsuper, rolbypassrls, rolcreaterole, rolcreatedb, rolreplication,
           (select count(*)::int from pg_auth_members m where m.member = r.oid) as memberships from pg_roles r where rolname = 'wallet_sync_service'`,
      ),
    ).toEqual([{ rolsuper: false, rolbypassrls: false, rolcreaterole: false, rolcreatedb: false, rolreplication: false, memberships: 0 }]);
  });
});

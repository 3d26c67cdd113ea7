import { randomUUID } from 'node:crypto';
import type pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { signUp, signUpMany, type SignUpOptions } from '../../../dev/signUp.js';
import { signUpInFull } from '../../../dev/signUpInFull.js';
import { assignAccounts, waitingUsers } from '../../../src/journal/assignments.js';
import { askControl } from '../../../src/journal/control.js';
import { fillPool } from '../../support/accounts.js';
import { listenToBell, type Bell } from '../../support/bell.js';
import { INSERT_USER, startDatabase, type Database } from '../../support/database.js';

let database: Database;
let bell: Bell;

beforeAll(async () => {
  database = await startDatabase();
  bell = await listenToBell(database);
});
afterAll(() => database?.stop());
beforeEach(async () => {
  await database.clear();
  await setPolicy('trigger');
  await bell.heard();
});

const open = new Set<pg.Client>();
afterEach(async () => {
  // What a failed test has locked must be free for the next one.
  for (const client of open) await client.end();
  open.clear();
});

/** A connection of its own for a sign-up whose transaction is held open. */
async function openSignUp(): Promise<{ client: pg.Client; authId: string }> {
  const client = await database.connect('supabase_auth_admin');
  open.add(client);
  const authId = randomUUID();
  await client.query('begin');
  await client.query(INSERT_USER, [authId]);
  return { client, authId };
}

const setPolicy = (assign: 'daemon' | 'trigger', lowWater = 1, provision = 'all') =>
  database.asOwner('update wallet_sync.control set assign = $1, low_water = $2, provision = $3', [assign, lowWater, provision]);

/** The address in the user's wallet; null where he has none, undefined where he has no row. */
async function addressOf(authId: string): Promise<string | null | undefined> {
  const [row] = await database.asOwner<{ flow_address: string | null }>('select flow_address from public.wallet where auth_id = $1', [authId]);
  return row?.flow_address;
}

const signUpAndRead = async (options: SignUpOptions = {}): Promise<string | null | undefined> => addressOf((await signUp(database.auth, options)).authId);

test.each(['all', 'confirmed'])("with all statements of the Auth server's own transaction, and wallets for %s users, a sign-up has its one wallet when its commit returns", async (provision) => {
  await setPolicy('trigger', 1, provision);
  const addresses = await fillPool(database.journal, 5);
  const given = [];
  for (let i = 0; i < 3; i++) given.push(await addressOf(await signUpInFull(database.auth)));
  expect(given).toEqual(addresses.slice(0, 3));
  expect(await database.asOwner("select from wallet_sync.account where state = 'assigned'")).toHaveLength(3);
  const [user] = await database.asOwner('select role, raw_user_meta_data, confirmed_at is not null as is_confirmed from auth.users limit 1');
  expect(user).toMatchObject({ role: 'authenticated', is_confirmed: true, raw_user_meta_data: { email_verified: true } });
});

test('with ASSIGN=trigger a sign-up has its wallet when its commit returns, with no daemon; the 21st of a pool of 20 waits, and is given one later', async () => {
  const addresses = await fillPool(database.journal, 20);
  const given = [];
  for (let i = 0; i < 20; i++) given.push(await signUpAndRead({ confirmed: i % 3 !== 0, anonymous: i % 5 === 0 }));
  expect(given).toEqual(addresses);
  const { authId } = await signUp(database.auth);
  expect(await addressOf(authId)).toBe(null);
  expect(await waitingUsers(database.journal, 10)).toEqual([authId]);

  const [later] = await fillPool(database.journal, 1);
  await assignAccounts(database.journal, { maxUsers: 10, via: 'poll', heard: {} });
  expect(await addressOf(authId)).toBe(later);
});

test('what a sign-up takes is what the daemon would give: keys, place, history, source', async () => {
  await fillPool(database.journal, 2);
  const { authId } = await signUp(database.auth);
  expect(
    await database.asOwner(
      `select a.state, a.delivered_by, a.pool_hit, a.assignment is not null and a.assigned_at is not null as placed,
         (w.flow_address, w.flow_private_key, w.flow_public_key) = (a.address, a.private_key, a.public_key) as same,
         (select array_agg(h.from_state || '>' || h.to_state) from wallet_sync.account_history h where h.account_id = a.id) as history
       from wallet_sync.account a join public.wallet w on w.auth_id = a.auth_id where a.auth_id = $1`,
      [authId],
    ),
  ).toEqual([{ state: 'assigned', delivered_by: 'trigger', pool_hit: true, placed: true, same: true, history: ['free>assigned'] }]);
});

test('with ASSIGN=daemon a sign-up takes nothing and rings', async () => {
  await setPolicy('daemon');
  await fillPool(database.journal, 5);
  const { authId } = await signUp(database.auth);
  expect(await addressOf(authId)).toBe(null);
  expect(await bell.heard()).toEqual([authId]);
});

test('a sign-up that took an account rings only where fewer than the low-water mark are left, and one that got nothing always does', async () => {
  await setPolicy('trigger', 3);
  await fillPool(database.journal, 5);
  const users = [];
  for (let i = 0; i < 6; i++) users.push((await signUp(database.auth)).authId);
  // 4 left, 3, 2, 1, 0, none to take.
  expect(await bell.heard()).toEqual(users.slice(2));
  await setPolicy('trigger', 0);
  await fillPool(database.journal, 1);
  await signUp(database.auth);
  expect(await bell.heard(), 'a mark of 0').toEqual([]);
});

test('while paused a sign-up takes nothing and rings', async () => {
  await fillPool(database.journal, 5);
  await askControl(database.journal, { name: 'pause' });
  const { authId } = await signUp(database.auth);
  expect(await addressOf(authId)).toBe(null);
  expect(await bell.heard()).toEqual([authId]);
  await askControl(database.journal, { name: 'resume' });
  expect(await signUpAndRead()).toMatch(/^0x/);
});

test('a sign-up that is rolled back gives its account back, whole', async () => {
  const [address] = await fillPool(database.journal, 1);
  const { client, authId } = await openSignUp();
  expect((await client.query('select count(*)::int as users from auth.users')).rows).toEqual([{ users: 1 }]);
  await client.query('rollback');
  expect(await addressOf(authId)).toBe(undefined);
  expect(await database.asOwner('select state, address, auth_id, assignment, assigned_at, delivered_by from wallet_sync.account')).toEqual([
    { state: 'free', address, auth_id: null, assignment: null, assigned_at: null, delivered_by: null },
  ]);
  expect(await signUpAndRead()).toBe(address);
});

test('the account of an open sign-up delays no other: the next one takes the next account, and with none left waits for the daemon', async () => {
  const [first, second] = await fillPool(database.journal, 2);
  const holding = await openSignUp();
  // Each of these would end in the statement's own limit if it waited.
  await database.auth.query("alter role supabase_auth_admin set statement_timeout = '5s'");
  expect(await signUpAndRead()).toBe(second);
  const { authId: third } = await signUp(database.auth);
  expect(await addressOf(third)).toBe(null);
  expect(await bell.heard()).toContain(third);
  await holding.client.query('commit');
  expect(await addressOf(holding.authId)).toBe(first);
  await database.auth.query('alter role supabase_auth_admin reset statement_timeout');
});

test.each(['repeatable read', 'serializable'])('a sign-up in %s takes nothing and rings, whether others change the pool meanwhile or not', async (isolation) => {
  await fillPool(database.journal, 4);
  const client = await database.connect('supabase_auth_admin');
  open.add(client);
  const users = [];
  for (const isPoolChanged of [false, true]) {
    await client.query(`begin isolation level ${isolation}`);
    await client.query('select from auth.users limit 1');
    if (isPoolChanged) expect(await signUpAndRead()).toMatch(/^0x/);
    const authId = randomUUID();
    users.push(authId);
    await client.query(INSERT_USER, [authId]);
    await client.query('update auth.users set email_confirmed_at = clock_timestamp() where id = $1', [authId]);
    await client.query('commit');
    expect(await addressOf(authId)).toBe(null);
  }
  expect(await bell.heard()).toEqual(users);
});

test('an account whose address public.wallet has already is left to the daemon: the user waits and rings', async () => {
  await database.asOwner('create unique index one_address on public.wallet (flow_address)');
  try {
    const [address] = await fillPool(database.journal, 1);
    await database.asOwner('insert into public.wallet (flow_address) values ($1)', [address]);
    const { authId } = await signUp(database.auth);
    expect(await bell.heard()).toEqual([authId]);
    expect(await waitingUsers(database.journal, 10)).toEqual([authId]);
    expect(await database.asOwner('select state from wallet_sync.account')).toEqual([{ state: 'free' }]);
  } finally {
    await database.asOwner('drop index public.one_address');
  }
});

describe('where the application has triggers of its own,', () => {
  const APPLICATION = 'create or replace function public.application() returns trigger language plpgsql security definer set search_path = \'\' as';
  const onUsers = (body: string) => database.postgres.query('supabase_admin', `${APPLICATION} $$ begin ${body} return new; end $$; create trigger application after insert on auth.users for each row execute function public.application()`);
  const onWallet = (body: string) => database.asOwner(`${APPLICATION} $$ begin ${body} end $$; create trigger application before insert or update on public.wallet for each row execute function public.application()`);
  afterEach(() => database.postgres.query('supabase_admin', 'drop function if exists public.application() cascade; drop sequence if exists public.tries'));

  test.each((['daemon', 'trigger'] as const).flatMap((by) => (['all', 'confirmed'] as const).map((provision) => ({ by, provision }))))('a user whose row it has made is served in his sign-up: ASSIGN=$by, PROVISION=$provision', async ({ by, provision }) => {
    await fillPool(database.journal, 2);
    await setPolicy(by, 1, provision);
    await onUsers('insert into public.wallet (auth_id) values (new.id);');
    const { authId } = await signUp(database.auth);
    expect((await addressOf(authId)) === null).toBe(by === 'daemon');
    expect(await bell.heard()).toEqual(by === 'daemon' ? [authId] : []);
  });

  test.each(['daemon', 'trigger'] as const)('a user whose row it drops until he is confirmed has it with the confirmation of the same sign-up: ASSIGN=%s', async (by) => {
    await fillPool(database.journal, 2);
    await setPolicy(by);
    await onWallet("if tg_op = 'INSERT' and exists (select from auth.users u where u.id = new.auth_id and u.email_confirmed_at is null) then return null; end if; return new;");
    const { authId } = await signUp(database.auth);
    expect(await addressOf(authId)).toEqual(by === 'daemon' ? null : expect.stringMatching(/^0x/));
    expect(await database.asOwner("select from wallet_sync.account where state = 'assigned'")).toHaveLength(by === 'daemon' ? 0 : 1);
  });

  test.each([
    { what: 'drops the row', body: 'return null;' },
    { what: 'takes the address away', body: 'new.flow_address := null; return new;' },
    { what: 'writes another address', body: "new.flow_address := '0x0000000000000001'; return new;" },
  ])('no account is given without its row: a trigger that $what', async ({ body }) => {
    await fillPool(database.journal, 2);
    await setPolicy('trigger');
    await onWallet(body);
    await signUp(database.auth);
    // Its row, if there is one, waits for the daemon.
    await assignAccounts(database.journal, { maxUsers: 10, via: 'poll', heard: {} }).catch((thrown: unknown) => expect(String(thrown)).toMatch(/trigger of public.wallet has changed the row/));
    const [{ differing = 0 } = {}] = await database.asOwner<{ differing: number }>(
      "select count(*)::int as differing from wallet_sync.account a where a.state = 'assigned' and not exists (select from public.wallet w where w.auth_id = a.auth_id and w.flow_address = a.address and w.flow_private_key = a.private_key)",
    );
    expect(differing).toBe(0);
  });

  test('a user whom it deletes softly in the same statement is given nothing', async () => {
    await fillPool(database.journal, 2);
    await setPolicy('trigger');
    await onUsers('update auth.users set deleted_at = now() where id = new.id;');
    await signUp(database.auth);
    expect(await database.asOwner("select from wallet_sync.account where state = 'assigned'")).toEqual([]);
  });

  test('what it does at a row that it refuses is done once for each look at the user', async () => {
    await setPolicy('daemon');
    await database.asOwner('create sequence public.tries');
    await onWallet("perform nextval('public.tries'); raise exception 'no';");
    await signUp(database.auth, { confirmed: false });
    expect(await database.asOwner('select last_value::int as tries from public.tries')).toEqual([{ tries: 1 }]);
  });
});

test('sign-ups and instances that give at the same time never give one account twice, nor one user two', async () => {
  const [USERS, ACCOUNTS] = [160, 120];
  const addresses = await fillPool(database.journal, ACCOUNTS);
  let over = false;
  const daemon = async (): Promise<void> => {
    while (!over) await assignAccounts(database.journal, { maxUsers: 7, via: 'poll', heard: {} });
  };
  const daemons = [daemon(), daemon()];
  const users = await signUpMany(database.auth, USERS, { concurrency: 8 });
  over = true;
  await Promise.all(daemons);
  await assignAccounts(database.journal, { maxUsers: USERS, via: 'poll', heard: {} });

  const given = await database.asOwner<{ auth_id: string; flow_address: string }>('select auth_id, flow_address from public.wallet where flow_address is not null');
  expect(given.map((wallet) => wallet.flow_address).sort()).toEqual([...addresses].sort());
  expect(await database.asOwner('select auth_id, address as flow_address from wallet_sync.account order by 1')).toEqual(given.sort((a, b) => (a.auth_id < b.auth_id ? -1 : 1)));
  expect((await waitingUsers(database.journal, USERS)).length).toBe(users.length - ACCOUNTS);
});

test.each(['supabase_auth_admin', 'wallet_sync_service'])('%s, giving accounts, reads no table whole, however small they were when its connection began', async (role) => {
  await fillPool(database.journal, 2);
  await setPolicy('daemon');
  await signUp(database.auth);
  await setPolicy('trigger');
  // Known to be small, they would be read whole.
  const tables = ['public.wallet', 'wallet_sync.account', 'wallet_sync.user_state'];
  for (const table of tables) await database.postgres.query('supabase_admin', `vacuum (analyze) ${table}`);
  const client = await database.connect(role);
  open.add(client);
  await client.query('begin');
  if (role === 'supabase_auth_admin') {
    const authId = randomUUID();
    await client.query(INSERT_USER, [authId]);
    await client.query('update auth.users set email_confirmed_at = clock_timestamp() where id = $1', [authId]);
  } else {
    expect((await client.query("select from wallet_sync.assign(10, 'poll', '{}')")).rowCount).toBe(1);
  }
  const { rows } = await client.query(
    "select schemaname || '.' || relname as table, seq_scan::int from pg_stat_xact_all_tables where schemaname || '.' || relname = any($1) and idx_scan + seq_scan > 0 order by 1",
    [tables],
  );
  await client.query('commit');
  expect(rows).toEqual(tables.map((table) => ({ table, seq_scan: 0 })));
});

test('the Auth server\'s role, in whose transaction all this runs, may itself neither read the journal nor call what gives', async () => {
  const [wallet] = await database.asOwner<{ auth_id: string }>('select auth_id from public.wallet limit 1');
  for (const sql of [
    "select * from wallet_sync.assign(1, 'trigger', '{}', gen_random_uuid())",
    'select wallet_sync.greet(gen_random_uuid(), true, 1)',
    'select wallet_sync.ring(gen_random_uuid())',
    'select wallet_sync.make_row(gen_random_uuid())',
    'select wallet_sync.require_as_given(true)',
    "select wallet_sync.take_account(gen_random_uuid(), 'trigger', now())",
    'select * from wallet_sync.read_policy()',
    'select * from wallet_sync.provisioned_user',
    'select private_key from wallet_sync.account',
    "update wallet_sync.control set assign = 'daemon'",
    'select flow_private_key from public.wallet',
  ]) {
    await expect.soft(database.auth.query(sql), sql).rejects.toThrow(/permission denied/);
  }
  expect(wallet).toBe(undefined);
});

import { randomUUID } from 'node:crypto';
import type pg from 'pg';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { signUp } from '../../../dev/signUp.js';
import { waitingUsers } from '../../../src/journal/assignments.js';
import { stayAwake, tryToSleep } from '../../../src/journal/bell.js';
import type { Db } from '../../../src/journal/pool.js';
import { listenToBell, type Bell } from '../../support/bell.js';
import { INSERT_USER, startDatabase, type Database } from '../../support/database.js';

let database: Database;
let bell: Bell;
let signingUp: pg.Client;
let instance: string;

/** Awake, and for longer than any pause of the machine. */
async function beAwake(): Promise<void> {
  await stayAwake(database.journal, instance);
  await database.asOwner("update wallet_sync.instance set awake_until = awake_until + interval '1 hour' where awake_until is not null");
}

const countWaiting = async (db: Db): Promise<number> => (await waitingUsers(db, 100)).length;

beforeAll(async () => {
  database = await startDatabase();
  bell = await listenToBell(database);
  signingUp = await database.connect('supabase_auth_admin');
});
afterAll(() => database?.stop());
beforeEach(async () => {
  await database.clear();
  instance = await database.instance();
  await bell.heard();
});

test('a sign-up rings where nobody is awake', async () => {
  const { authId } = await signUp(database.auth);
  expect(await bell.heard()).toEqual([authId]);
});

test('a sign-up does not ring where an instance is awake, and is found by its next look', async () => {
  await beAwake();
  const { authId } = await signUp(database.auth);
  expect(await bell.heard()).toEqual([]);
  expect(await waitingUsers(database.journal, 10)).toEqual([authId]);
});

test('after going to sleep every sign-up rings again', async () => {
  await beAwake();
  expect(await tryToSleep(database.journal, instance, countWaiting)).toBe(true);
  const { authId } = await signUp(database.auth);
  expect(await bell.heard()).toEqual([authId]);
});

test('an instance whose awake lease has run out silences nobody', async () => {
  await beAwake();
  await database.asOwner("update wallet_sync.instance set awake_until = clock_timestamp() - interval '1 ms'");
  const { authId } = await signUp(database.auth);
  expect(await bell.heard()).toEqual([authId]);
});

test('nobody goes to sleep while a sign-up is under way that saw him awake', async () => {
  await beAwake();
  await signingUp.query('begin');
  await signingUp.query(INSERT_USER, [randomUUID()]);
  expect(await tryToSleep(database.journal, instance, countWaiting)).toBe(false);
  await signingUp.query('commit');
  expect(await bell.heard()).toEqual([]);
  expect(await tryToSleep(database.journal, instance, countWaiting), 'somebody waits').toBe(false);
  expect(await countWaiting(database.journal)).toBe(1);
});

test('a sign-up in repeatable read or serializable rings even where an instance is awake', async () => {
  await beAwake();
  const ids = [randomUUID(), randomUUID()];
  for (const [index, isolation] of ['repeatable read', 'serializable'].entries()) {
    await signingUp.query(`begin isolation level ${isolation}`);
    await signingUp.query(INSERT_USER, [ids[index]]);
    await signingUp.query('commit');
  }
  expect(await bell.heard()).toEqual(ids);
});

test('a sign-up does not wait for an instance that is going to sleep, and rings', async () => {
  await beAwake();
  let authId = '';
  const asleep = await tryToSleep(database.journal, instance, async (db) => {
    const found = await countWaiting(db);
    ({ authId } = await signUp(database.auth));
    return found;
  });
  expect(asleep).toBe(true);
  expect(await bell.heard()).toEqual([authId]);
});

test('where the look at who is awake fails, the row is made all the same', async () => {
  const holder = await database.connect('postgres');
  await holder.query('begin');
  await holder.query('lock table wallet_sync.instance in access exclusive mode');
  // Without a confirmation, which would make the row by its own look.
  const { authId } = await signUp(database.auth, { confirmed: false });
  const rows = await database.asOwner('select from public.wallet where auth_id = $1', [authId]);
  await holder.end();
  expect(rows.length).toBe(1);
});

test('a sign-up that is confirmed at once is served once; a confirmation later on looks again', async () => {
  const calls = async (): Promise<number> => {
    await signingUp.query('select pg_stat_force_next_flush()');
    return Number((await signingUp.query<{ calls: string }>("select coalesce(sum(pg_stat_get_function_calls(oid)), 0) as calls from pg_proc where pronamespace = 'wallet_sync'::regnamespace and proname = 'ring'")).rows[0]?.calls);
  };
  await database.postgres.query('supabase_admin', 'alter role supabase_auth_admin set track_functions = \'all\'');
  signingUp = await database.connect('supabase_auth_admin');
  const [at, id] = [await calls(), randomUUID()];
  await signingUp.query('begin');
  await signingUp.query(INSERT_USER, [id]);
  await signingUp.query('update auth.users set email_confirmed_at = clock_timestamp() where id = $1', [id]);
  await signingUp.query('commit');
  expect((await calls()) - at).toBe(1);
  await signingUp.query('update auth.users set banned_until = clock_timestamp() where id = $1', [id]);
  expect((await calls()) - at).toBe(2);
  await database.postgres.query('supabase_admin', 'alter role supabase_auth_admin reset track_functions');
});

test('who was served is remembered to the end of his transaction alone, and not beyond a rollback within it', async () => {
  await beAwake();
  const waits = async (): Promise<boolean> => (await waitingUsers(database.journal, 10)).length > 0;
  const [first, second] = [randomUUID(), randomUUID()];
  const confirm = (id: string) => signingUp.query('update auth.users set email_confirmed_at = clock_timestamp() where id = $1', [id]);
  await database.asOwner("update wallet_sync.control set provision = 'confirmed'");
  try {
    // Not served by the insert: he does not meet the policy yet.
    await signingUp.query('begin');
    await signingUp.query(INSERT_USER, [first]);
    await confirm(first);
    await signingUp.query('commit');
    expect(await waitingUsers(database.journal, 10)).toEqual([first]);
  } finally {
    await database.asOwner("update wallet_sync.control set provision = 'all'");
  }
  await database.clear();
  await signingUp.query('begin');
  await signingUp.query('savepoint one');
  await signingUp.query(INSERT_USER, [first]);
  await signingUp.query('rollback to one');
  expect((await signingUp.query("select current_setting('wallet_sync.greeted', true) as greeted")).rows).toEqual([{ greeted: '' }]);
  await signingUp.query(INSERT_USER, [first]);
  await signingUp.query(INSERT_USER, [second]);
  await confirm(first);
  await confirm(second);
  await signingUp.query('commit');
  expect((await waitingUsers(database.journal, 10)).sort()).toEqual([first, second].sort());
  // In another transaction he is looked at as anybody is: his row was lost meanwhile.
  await database.asOwner('delete from public.wallet');
  expect(await waits()).toBe(false);
  await signingUp.query('update auth.users set email_confirmed_at = null');
  await confirm(second);
  expect(await waitingUsers(database.journal, 10)).toEqual(expect.arrayContaining([second]));
});

test('a sign-up that is rolled back rings nobody', async () => {
  await signingUp.query('begin');
  await signingUp.query(INSERT_USER, [randomUUID()]);
  await signingUp.query('rollback');
  expect(await bell.heard()).toEqual([]);
  expect(await countWaiting(database.journal)).toBe(0);
});

test('a confirmation rings for a user who has no address yet, and for no other', async () => {
  const { authId } = await signUp(database.auth, { confirmed: false });
  const { authId: ready } = await signUp(database.auth, { confirmed: false });
  await database.asOwner("update public.wallet set flow_address = '0x01' where auth_id = $1", [ready]);
  await bell.heard();
  await database.auth.query('update auth.users set email_confirmed_at = clock_timestamp()');
  expect(await bell.heard()).toEqual([authId]);
});

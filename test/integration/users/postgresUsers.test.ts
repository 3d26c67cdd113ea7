import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { createPostgresUsers } from '../../../src/users/postgresUsers.js';
import { startDatabase, type Database } from '../../support/database.js';
import { createRandom } from '../../support/random.js';
import { readAll } from './usersWorld.js';

const SEED = 20_261_127;
const ZEROS = '00000000-0000-0000-0000-000000000000';

let database: Database;
beforeAll(async () => void (database = await startDatabase()));
afterAll(() => database?.stop());
beforeEach(async () => {
  await database.clear();
  await database.asOwner("update wallet_sync.control set provision = 'all'");
});

const open = (pageSize = 20) => createPostgresUsers({ journal: database.journal, settings: { PAGE_SIZE: pageSize } });
async function addUsers(count: number, sets: Readonly<Record<string, string>> = {}): Promise<string[]> {
  const columns = { id: 'gen_random_uuid()', aud: "'authenticated'", created_at: 'now()', ...sets };
  const { rows } = await database.auth.query<{ id: string }>(`insert into auth.users (${Object.keys(columns).join(', ')}) select ${Object.values(columns).join(', ')} from generate_series(1, $1::int) n returning id`, [count]);
  return rows.map((row) => row.id);
}

it('gives 1,050 users once each, 20 a page, by id, that of zeros too, and resumes after any page', async () => {
  const ids = [...(await addUsers(1_049)), ...(await addUsers(1, { id: `'${ZEROS}'` }))].toSorted();
  const read = await readAll(open());
  expect(read.ids).toEqual(ids);
  expect(read.sizes.slice(0, -1).every((size) => size === 20)).toBe(true);
  expect(await open().count()).toBe(1_050);
  for (const index of [0, 20, 51, 52]) expect((await readAll(open(), read.cursors[index]!)).ids).toEqual(ids.slice((index + 1) * 20));
  expect((await readAll(open(), 'admin-api:5:' + ZEROS)).ids).toEqual(ids);
  expect((await readAll(open(), `postgres:${ZEROS}`)).ids).toEqual(ids.slice(1));
});

it('misses nobody who is there all the time while users come and go between pages', async () => {
  const random = createRandom(SEED);
  const there = new Set(await addUsers(600));
  const read = await readAll(open(), null, async () => {
    await addUsers(Math.floor(random() * 10));
    const leaving = [...there].filter(() => random() < 0.01);
    leaving.forEach((id) => there.delete(id));
    await database.auth.query('delete from auth.users where id = any ($1::uuid[])', [leaving]);
  });
  expect(new Set(read.ids).size).toBe(read.ids.length);
  expect([...there].filter((id) => !read.ids.includes(id))).toEqual([]);
});

it.each([['all', 3], ['confirmed', 1], ['non-anonymous', 2]] as const)('with PROVISION=%s gives %d of a confirmed, an unconfirmed, an anonymous and a softly deleted user', async (provision, expected) => {
  await database.asOwner('update wallet_sync.control set provision = $1', [provision]);
  await addUsers(1, { email_confirmed_at: 'now()' });
  await addUsers(1);
  await addUsers(1, { is_anonymous: 'true' });
  await addUsers(1, { email_confirmed_at: 'now()', deleted_at: 'now()' });
  expect((await readAll(open())).ids).toHaveLength(expected);
  expect(await open().count()).toBe(expected);
});

it('ends with the reason of its signal', async () => {
  await addUsers(100);
  const stop = new AbortController();
  const read = (async () => {
    for await (const page of open().pages(null, stop.signal)) if (page.users.length > 0) stop.abort(new Error('stopped'));
  })();
  await expect(read).rejects.toThrow('stopped');
});

it('reads a page by its index, not all users', async () => {
  await database.auth.query('alter table auth.users disable trigger user');
  await addUsers(50_000);
  await database.auth.query('alter table auth.users enable trigger user');
  await database.postgres.query('supabase_admin', 'analyze auth.users');
  const client = await database.connect('supabase_admin');
  const before = async (): Promise<number> => {
    // The counters are sent when a connection has nothing else to do, and on demand.
    await client.query('select pg_stat_force_next_flush()');
    return Number((await client.query<{ read: string }>("select seq_tup_read + idx_tup_fetch as read from pg_stat_all_tables where relid = 'auth.users'::regclass")).rows[0]!.read);
  };
  const start = await before();
  for (const after of [null, '40000000-0000-4000-8000-000000000000', 'c0000000-0000-4000-8000-000000000000']) await client.query('select count(*) from wallet_sync.users_page($1, 100)', [after]);
  expect((await before()) - start).toBeLessThan(1_000);
  await client.end();
});

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Settings } from '../../../src/settings.js';
import { openUsers } from '../../../src/users/openUsers.js';
import { startUsersWorld, type Fate, type UsersWorld } from './usersWorld.js';

let world: UsersWorld;
beforeAll(async () => void (world = await startUsersWorld()));
afterAll(() => world?.stop());
beforeEach(() => world.clear());
afterEach(() => seeUsers(true));

const open = (source?: Settings['USER_SOURCE'], key = world.settings.SUPABASE_SERVICE_ROLE_KEY) =>
  openUsers({ settings: { ...world.settings, SUPABASE_SERVICE_ROLE_KEY: key, PAGE_SIZE: 20, PROVISION: 'all', USER_SOURCE: source }, journal: world.database.journal, log: world.log });
const said = () => world.lines.filter((line) => line['msg'] === 'users are read').at(-1);

/** Whether the definer functions may bypass row level security: without it they read no users, and get no error. */
const seeUsers = (may: boolean) => world.database.postgres.query('supabase_admin', `alter role postgres ${may ? 'bypassrls' : 'nobypassrls'}`);

describe('the source of users that is chosen by itself', () => {
  it('is Postgres where it sees all users, whatever PROVISION says, soft-deleted ones too', async () => {
    await world.addUsers(3);
    await world.addUsers(2, { deleted_at: 'now()' });
    await world.database.asOwner("update wallet_sync.control set provision = 'confirmed'");
    expect((await open()).name).toBe('postgres');
    expect(said()).toMatchObject({ source: 'postgres', inPostgres: 5, inAuthServer: 5, reason: 'it sees all users' });
  });

  it('is the Auth server where Postgres sees none of them, and gives an error to nobody', async () => {
    const ids = await world.addUsers(3);
    await seeUsers(false);
    expect((await world.database.journal.query('select * from wallet_sync.users_page(null, 10)')).rows).toEqual([]);
    const source = await open();
    expect(source.name).toBe('admin-api');
    expect(said()).toMatchObject({ source: 'admin-api', inPostgres: 0, inAuthServer: 3, reason: expect.stringContaining('bypasses row level security') as string });
    const given = [];
    for await (const page of source.pages(null, new AbortController().signal)) given.push(...page.users.map((user) => user.id));
    expect(given.toSorted()).toEqual(ids.toSorted());
  });

  it('is the Auth server where Postgres sees some of them', async () => {
    const [one] = await world.addUsers(4);
    await seeUsers(false);
    await world.database.postgres.query('supabase_admin', `create policy three on auth.users for select to postgres using (id <> '${one!}')`);
    try {
      expect((await open()).name).toBe('admin-api');
      expect(said()).toMatchObject({ inPostgres: 3, inAuthServer: 4 });
    } finally {
      await world.database.postgres.query('supabase_admin', 'drop policy three on auth.users');
    }
  });

  it('is Postgres also while users sign up between the counts, and while they are deleted', async () => {
    await world.addUsers(30);
    world.before = async (): Promise<Fate> => (await world.addUsers(3), 'pass');
    expect((await open()).name).toBe('postgres');
    world.before = async (): Promise<Fate> => (await world.database.auth.query('delete from auth.users where id in (select id from auth.users limit 3)'), 'pass');
    expect((await open()).name).toBe('postgres');
  });

  it('is chosen anew each time', async () => {
    await world.addUsers(3);
    await seeUsers(false);
    expect((await open()).name).toBe('admin-api');
    await seeUsers(true);
    expect((await open()).name).toBe('postgres');
  });

  it.each(['down', 'refusing the key'] as const)('is Postgres where it sees users and the Auth server is %s', async (how) => {
    await world.addUsers(1);
    if (how === 'down') world.before = () => 'reset';
    expect((await open(undefined, how === 'down' ? undefined : world.gateway.anonKey)).name).toBe('postgres');
    expect(said()).toMatchObject({ source: 'postgres', reason: expect.stringContaining('the Auth server fails') as string });
  });

  it('is Postgres where there are neither users nor wallets, though the Auth server is down', async () => {
    world.before = () => 'reset';
    expect((await open()).name).toBe('postgres');
  });

  it('is none where Postgres sees no users, there are wallets, and the Auth server is down', async () => {
    await world.addUsers(1);
    await seeUsers(false);
    world.before = () => 'reset';
    await expect(open()).rejects.toMatchObject({ kind: 'network', where: 'Auth server' });
    world.before = null;
    await expect(open(undefined, world.gateway.anonKey)).rejects.toMatchObject({ kind: 'usage', where: 'SUPABASE_SERVICE_ROLE_KEY' });
  });

  it('is the one that USER_SOURCE names, and nobody is asked', async () => {
    world.before = () => 'reset';
    expect((await open('postgres')).name).toBe('postgres');
    expect((await open('admin-api')).name).toBe('admin-api');
    expect(world.requests).toEqual([]);
    expect(said()).toMatchObject({ reason: 'USER_SOURCE says so' });
  });
});

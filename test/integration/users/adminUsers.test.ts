import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createAdminApi } from '../../../src/users/adminApi.js';
import { createAdminUsers } from '../../../src/users/adminUsers.js';
import type { Patience } from '../../../src/users/persevere.js';
import type { UserSource } from '../../../src/users/source.js';
import { createRandom } from '../../support/random.js';
import { readAll, startUsersWorld, type Fate, type UsersWorld } from './usersWorld.js';

const SEED = 20_261_127;
const QUICK: Patience = { attempts: 4, firstMs: 1, capMs: 1 };

let world: UsersWorld;
beforeAll(async () => void (world = await startUsersWorld()));
afterAll(() => world?.stop());
beforeEach(() => world.clear());

type Provision = 'all' | 'confirmed' | 'non-anonymous';
function open(options: { pageSize?: number; provision?: Provision; key?: string; timeoutMs?: number } = {}): UserSource & Required<Pick<UserSource, 'isGone'>> {
  const api = createAdminApi({ settings: { ...world.settings, ...(options.key === undefined ? {} : { SUPABASE_SERVICE_ROLE_KEY: options.key }) }, requestTimeoutMs: options.timeoutMs ?? 30_000 });
  return createAdminUsers({ api, settings: { PAGE_SIZE: options.pageSize ?? 20, PROVISION: options.provision ?? 'all' }, log: world.log, patience: QUICK });
}
/** One fate for each of the next requests, then all pass. */
const fates = (...list: Fate[]): void => void (world.before = () => list.shift() ?? 'pass');
const deleteUsers = (ids: readonly string[]) => world.database.auth.query('delete from auth.users where id = any ($1::uuid[])', [ids]);
/** A second apart, the fractions with and without trailing zeros. */
const APART = { created_at: "timestamptz '2026-01-01 00:00:00Z' + n * interval '1.1 seconds'" };

describe('a listing through the Auth server', () => {
  it('gives 1,250 users once each, 20 a page, the oldest first', async () => {
    const ids = await world.addUsers(1_250, APART);
    const source = open();
    const read = await readAll(source);
    expect(new Set(read.ids).size).toBe(1_250);
    expect(read.ids.toSorted()).toEqual(ids.toSorted());
    expect(read.sizes.every((size) => size <= 20)).toBe(true);
    const [oldest] = await world.database.asOwner('select id from auth.users order by created_at limit 1');
    expect(read.ids[0]).toBe(oldest!['id']);
    // Asked for at least 50 at a time.
    expect(world.requests.length).toBeLessThan(60);
    expect(await source.count()).toBe(1_250);
  });

  it('misses nobody who is there all the time while users sign up and are deleted between its requests', async () => {
    const random = createRandom(SEED);
    const there = new Set(await world.addUsers(1_100, { created_at: "now() - interval '1 day' + n * interval '1 second'" }));
    world.before = async (): Promise<Fate> => {
      if (random() < 0.8) await world.addUsers(Math.floor(random() * 5));
      const leaving = [...there].filter(() => random() < 0.003);
      if (random() < 0.05) leaving.push(...[...there].slice(0, 40));
      leaving.forEach((id) => there.delete(id));
      await deleteUsers(leaving);
      return 'pass';
    };
    const read = await readAll(open());
    expect(new Set(read.ids).size).toBe(read.ids.length);
    const known = new Set(read.ids);
    expect([...there].filter((id) => !known.has(id))).toEqual([]);
    expect(there.size).toBeLessThan(1_000);
  });

  it('gives users of one instant once each, also where they are more than a page', async () => {
    await world.addUsers(60, APART);
    await world.addUsers(210, { created_at: "timestamptz '2026-01-02'" });
    await world.addUsers(60, { created_at: "timestamptz '2026-01-03' + (n / 7) * interval '1 second'" });
    const read = await readAll(open());
    expect(read.ids).toHaveLength(330);
    expect(new Set(read.ids).size).toBe(330);
  });

  it('is right where the server caps its pages', async () => {
    await world.addUsers(400, APART);
    world.cap = 30;
    const read = await readAll(open({ pageSize: 100 }));
    expect(new Set(read.ids).size).toBe(400);
    expect(read.ids).toHaveLength(400);
  });

  it('gives one page, or none, where there are few users or none', async () => {
    expect(await readAll(open())).toEqual({ ids: [], cursors: [], sizes: [] });
    await world.addUsers(3, APART);
    expect((await readAll(open())).ids).toHaveLength(3);
    expect(world.requests).toHaveLength(2);
  });

  it('resumes after any page, also within users of one instant', async () => {
    await world.addUsers(300, { created_at: "timestamptz '2026-01-01' + (n / 30) * interval '1 second'" });
    const all = await readAll(open());
    let given = 0;
    for (const [index, cursor] of all.cursors.entries()) {
      given += all.sizes[index]!;
      expect((await readAll(open(), cursor)).ids).toEqual(all.ids.slice(given));
    }
    // A cursor of another source: from the start.
    expect((await readAll(open(), `postgres:${all.ids[100]!}`)).ids).toEqual(all.ids);
  });

  it('ends with the reason of its signal, and asks nothing more', async () => {
    await world.addUsers(300, APART);
    const stop = new AbortController();
    const read = (async () => {
      for await (const page of open().pages(null, stop.signal)) if (page.users.length > 0) stop.abort(new Error('stopped'));
    })();
    await expect(read).rejects.toThrow('stopped');
    const asked = world.requests.length;
    world.before = () => {
      stop.abort(new Error('stopped'));
      return 'hang';
    };
    await expect(readAll(open({ timeoutMs: 100 }))).rejects.toMatchObject({ kind: 'network' });
    const hanging = new AbortController();
    world.before = () => (hanging.abort(new Error('stopped in mid-request')), 'hang');
    await expect(open().pages(null, hanging.signal)[Symbol.asyncIterator]().next()).rejects.toThrow('stopped in mid-request');
    expect(asked).toBeLessThan(20);
  });
});

describe('the users given', () => {
  const KINDS = [
    ['confirmed', {}],
    ['confirmed by phone', { email: 'null', email_confirmed_at: 'null', phone: "'+41' || n", phone_confirmed_at: 'now()' }],
    ['unconfirmed', { email_confirmed_at: 'null' }],
    ['anonymous', { email: 'null', email_confirmed_at: 'null', is_anonymous: 'true' }],
    ['deleted softly', { deleted_at: 'now()' }],
  ] as const;

  it.each(['all', 'confirmed', 'non-anonymous'] as const)('with PROVISION=%s are those whom Postgres gives', async (provision) => {
    for (const [, sets] of KINDS) await world.addUsers(30, sets);
    await world.database.asOwner('update wallet_sync.control set provision = $1', [provision]);
    const expected = await world.database.journal.query('select id from wallet_sync.users_page(null, 1000)');
    const { ids } = await readAll(open({ provision }));
    expect(ids.toSorted()).toEqual(expected.rows.map((row) => row['id']));
    expect(ids).toHaveLength({ all: 120, confirmed: 60, 'non-anonymous': 90 }[provision]);
  });

  it('have their address, or null, and their time of creation', async () => {
    await world.addUsers(1, { created_at: "timestamptz '2026-01-01 10:00:00.880001Z'", email: "'a@example.com'" });
    await world.addUsers(1, { created_at: "timestamptz '2026-01-01 10:00:01Z'", email: 'null' });
    const users = [];
    for await (const page of open().pages(null, new AbortController().signal)) users.push(...page.users);
    expect(users).toMatchObject([
      { email: 'a@example.com', createdAt: new Date('2026-01-01T10:00:00.880Z') },
      { email: null, createdAt: new Date('2026-01-01T10:00:01Z') },
    ]);
  });
});

describe('a failure that passes', () => {
  it.each<[string, Fate]>([
    ['500', { status: 500, body: '{"code":500,"msg":"Database error"}' }],
    ['502 of a gateway, in HTML', { status: 502, headers: { 'content-type': 'text/html' }, body: '<html>' }],
    ['521 of a proxy', { status: 521 }],
    ['429', { status: 429, body: '{"code":429,"error_code":"over_request_rate_limit","msg":"slow down"}' }],
    ['a body cut in the middle', 'cut'],
    ['200 with no JSON', { status: 200, body: 'OK' }],
    ['a connection that is reset', 'reset'],
  ])('is tried again: %s', async (_, fate) => {
    const ids = await world.addUsers(70, APART);
    fates(fate, 'pass', fate, fate, fate, 'pass');
    expect((await readAll(open())).ids.toSorted()).toEqual(ids.toSorted());
    expect(world.lines.filter((line) => line['msg'] === 'the Auth server is asked again')).toHaveLength(4);
  });

  it('is tried again: no answer in time', async () => {
    await world.addUsers(3, APART);
    fates('hang', 'hang');
    expect((await readAll(open({ timeoutMs: 100 }))).ids).toHaveLength(3);
    expect(world.lines.map((line) => line['reason'])).toEqual(['no answer within 0.1 s', 'no answer within 0.1 s']);
  });

  it('waits as long as the server asks', async () => {
    fates({ status: 429, headers: { 'retry-after': '1' } });
    await readAll(open());
    expect(world.lines[0]).toMatchObject({ attempt: 1, delayMs: 1_000 });
  });

  it('is a list without the number of all users, which a sign-up in mid-request leaves too', async () => {
    const list = { status: 200, body: '{"users":[{"id":"00000000-0000-4000-8000-000000000000","created_at":"2026-01-01T00:00:00Z"}]}' };
    fates(list);
    expect((await readAll(open())).ids).toEqual([]);
    world.before = () => list;
    await expect(readAll(open())).rejects.toMatchObject({ kind: 'network', message: 'its answer names no total (X-Total-Count and Link)' });
  });

  it('is thrown when it does not pass, or the server asks for a long wait', async () => {
    world.before = () => ({ status: 503 });
    await expect(readAll(open())).rejects.toMatchObject({ kind: 'network', where: 'Auth server' });
    expect(world.requests).toHaveLength(QUICK.attempts);
    world.before = () => ({ status: 429, headers: { 'retry-after': '3600' } });
    await expect(readAll(open())).rejects.toMatchObject({ kind: 'rate-limit', retryAfterMs: 3_600_000 });
    expect(world.requests).toHaveLength(QUICK.attempts + 1);
  });
});

describe('a failure that does not pass', () => {
  it.each([
    ['a forged key', () => `${world.gateway.serviceRoleKey.slice(0, -4)}AAAA`, /^403 bad_jwt/],
    ['the anon key', () => world.gateway.anonKey, /^403 not_admin/],
  ])('is not tried again and names the setting: %s', async (_, key, message) => {
    const failure: unknown = await readAll(open({ key: key() })).catch((error: unknown) => error);
    expect(failure).toMatchObject({ kind: 'usage', where: 'SUPABASE_SERVICE_ROLE_KEY', message: expect.stringMatching(message) as string });
    expect(JSON.stringify(failure)).not.toContain(key());
    expect(world.requests).toHaveLength(1);
  });

  it.each<[string, Fate]>([
    ['a path that is none', { status: 404, body: '404 page not found' }],
    ['another list', { status: 200, headers: { 'x-total-count': '1', link: '</admin/users?page=1>; rel="last"' }, body: '{"users":[{"id":7}]}' }],
    ['no list', { status: 200, body: '{"users":"none"}' }],
    ['a time that is none', { status: 200, headers: { 'x-total-count': '1', link: '</admin/users?page=1>; rel="last"' }, body: '{"users":[{"id":"00000000-0000-4000-8000-000000000000","created_at":"today"}]}' }],
  ])('is an AppError of kind data: %s', async (_, fate) => {
    world.before = () => fate;
    await expect(readAll(open())).rejects.toMatchObject({ name: 'AppError', kind: 'data', where: 'Auth server' });
  });
});

describe('whether a user is gone', () => {
  const NOBODY = '00000000-0000-4000-8000-000000000000';
  const never = new AbortController().signal;

  it('is what the server says, also of a user deleted softly', async () => {
    const [id] = await world.addUsers(1);
    const [soft] = await world.addUsers(1, { deleted_at: 'now()' });
    expect(await open().isGone(id!, never)).toBe(false);
    expect(await open().isGone(soft!, never)).toBe(false);
    await deleteUsers([id!]);
    expect(await open().isGone(id!, never)).toBe(true);
  });

  it.each<[string, Fate]>([
    ["a gateway's own 404", { status: 404, body: '{"message":"no Route matched with those values"}' }],
    ['403', { status: 403 }],
    ['500', { status: 500 }],
    ['another user', { status: 200, body: '{"id":"11111111-1111-4111-8111-111111111111"}' }],
    ['an empty body', { status: 200 }],
  ])('is not said by %s', async (_, fate) => {
    world.before = () => fate;
    await expect(open().isGone(NOBODY, never)).rejects.toMatchObject({ name: 'AppError' });
  });
});

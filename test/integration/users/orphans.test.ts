import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { areTooMany, markOrphans } from '../../../src/handlers/markOrphans.js';
import { restoreWallets } from '../../../src/journal/users.js';
import { createAdminApi } from '../../../src/users/adminApi.js';
import { createAdminUsers } from '../../../src/users/adminUsers.js';
import { createPostgresUsers } from '../../../src/users/postgresUsers.js';
import type { UserSource } from '../../../src/users/source.js';
import { hex } from '../../support/database.js';
import { runCommand } from '../../support/command.js';
import { startUsersWorld, type UsersWorld } from './usersWorld.js';

let world: UsersWorld;
beforeAll(async () => void (world = await startUsersWorld()));
afterAll(() => world?.stop());
beforeEach(() => world.clear());

const never = new AbortController().signal;
const settings = { PAGE_SIZE: 100, PROVISION: 'all' } as const;
const SOURCES: Record<string, () => UserSource> = {
  postgres: () => createPostgresUsers({ journal: world.database.journal, settings }),
  'admin-api': () => createAdminUsers({ api: createAdminApi({ settings: world.settings }), settings, log: world.log, patience: { attempts: 1, firstMs: 1, capMs: 1 } }),
};
const mark = (source: UserSource, signal = never) => markOrphans({ journal: world.database.journal, log: world.log }, source, (step) => world.database.journal.transaction(step), signal);

/** Users with an account each, as assign leaves them. Returns their ids in order. */
async function addOwners(count: number): Promise<string[]> {
  const ids = (await world.addUsers(count)).toSorted();
  await world.database.asOwner(
    `insert into wallet_sync.account (state, public_key, private_key, address, auth_id, assigned_at, assignment)
     select 'assigned', md5(id || 'a') || md5(id || 'b') || md5(id || 'c') || md5(id || 'd'), 'sealed', '0x' || left(md5(id), 16), id::uuid, now(), nextval('wallet_sync.assignment') from unnest($1::text[]) id`, [ids]);
  await world.database.asOwner('update public.wallet w set flow_address = a.address, flow_private_key = a.private_key, flow_public_key = a.public_key from wallet_sync.account a where a.auth_id = w.auth_id');
  return ids;
}
const deleteUsers = (ids: readonly string[]) => world.database.auth.query('delete from auth.users where id = any ($1::uuid[])', [ids]);
const bringBack = (ids: readonly string[]) => world.database.auth.query("insert into auth.users (id, instance_id, aud, created_at) select id, '00000000-0000-0000-0000-000000000000', 'authenticated', now() from unnest($1::uuid[]) id", [ids]);
const orphans = async (): Promise<string[]> => (await world.database.asOwner<{ auth_id: string }>("select auth_id from wallet_sync.user_state where state = 'orphaned' order by auth_id")).map((row) => row.auth_id);
const walletSync = (...args: string[]) => runCommand(args, { DATABASE_URL: world.database.postgres.url('postgres') });

it.each([
  [4, 4, false], [4, 400, false], [5, 5, true], [5, 499, true], [5, 500, false], [6, 599, true], [6, 600, false], [10, 1_000, false], [11, 1_000, true], [10_000, 1_000_000, false], [10_001, 1_000_000, true], [0, 0, false],
])('%d orphans of %d users are too many: %s', (count, users, expected) => {
  expect(areTooMany(count, users)).toBe(expected);
});

describe.each(['postgres', 'admin-api'])('with users from %s,', (name) => {
  const open = () => SOURCES[name]!();

  it('users who were deleted are marked once, with a reason, and the others are not, softly deleted ones neither', async () => {
    const ids = await addOwners(20);
    await deleteUsers(ids.slice(0, 3));
    await world.database.auth.query('update auth.users set deleted_at = now() where id = $1', [ids[5]]);
    expect(await mark(open())).toEqual({ marked: 3, refused: 0 });
    expect(await orphans()).toEqual(ids.slice(0, 3));
    expect(await mark(open())).toEqual({ marked: 0, refused: 0 });
    const rows = await world.database.journal.query('select s.reason, s.solution, s.since, wallet_sync.is_orphaned(a.id) as orphaned, a.state from wallet_sync.account a left join wallet_sync.user_state s on s.auth_id = a.auth_id order by a.auth_id');
    expect(rows.rows.slice(0, 4)).toMatchObject([...Array.from({ length: 3 }, () => ({ reason: 'the user was deleted from auth.users', orphaned: true, since: expect.any(Date) as Date, state: 'assigned' })), { reason: null, orphaned: false }]);
  });

  it('a user who was corrupted and is deleted is orphaned', async () => {
    const [id] = await addOwners(1);
    await world.database.asOwner("insert into wallet_sync.user_state (auth_id, state, reason) values ($1, 'corrupted', 'x')", [id]);
    await deleteUsers([id!]);
    expect(await mark(open())).toEqual({ marked: 1, refused: 0 });
    expect(await orphans()).toEqual([id]);
  });

  it('an orphan who is back is a user again, and has his wallet back', async () => {
    const ids = await addOwners(10);
    await deleteUsers(ids.slice(0, 2));
    await mark(open());
    await bringBack(ids.slice(0, 1));
    expect(await mark(open())).toEqual({ marked: 0, refused: 0 });
    expect(await orphans()).toEqual(ids.slice(1, 2));
    expect(await restoreWallets(world.database.journal)).toBe(1);
    expect(await world.database.asOwner('select count(*)::int as ready from public.wallet where auth_id = $1 and flow_address is not null', [ids[0]])).toEqual([{ ready: 1 }]);
  });

  it('exactly 1 % of the users are marked, one more is refused, and nobody is marked then', async () => {
    const ids = await addOwners(600);
    await deleteUsers(ids.slice(0, 7));
    expect(await mark(open())).toEqual({ marked: 0, refused: 7 });
    expect(await orphans()).toEqual([]);
    expect(world.lines.find((line) => line['level'] === 50)).toMatchObject({ orphans: 7, users: 600, mend: expect.stringContaining('wallet-sync orphans accept') as string });
    await bringBack(ids.slice(6, 7));
    expect(await mark(open())).toEqual({ marked: 6, refused: 0 });
    expect(await orphans()).toEqual(ids.slice(0, 6));
  });

  it('what was refused is marked once it is accepted, once, and no more than that', async () => {
    const ids = await addOwners(40);
    expect(JSON.parse((await walletSync('orphans', 'accept', '--json')).stdout)).toEqual({ accepted: 0 });
    await deleteUsers(ids.slice(0, 10));
    expect(await mark(open())).toEqual({ marked: 0, refused: 10 });
    const shown = await walletSync('orphans');
    expect(shown).toMatchObject({ code: 0, stdout: expect.stringMatching(/^No wallet is orphaned\.\n\nA sweep found 10 orphans more at .*\n.*`wallet-sync orphans accept`/) as string });
    expect(await walletSync('orphans', 'accept')).toMatchObject({ code: 0, stdout: 'Accepted: the next sweep within a day may mark 10 orphans.\n' });
    // Five more than was accepted are too many again, and what was accepted is void.
    await deleteUsers(ids.slice(10, 15));
    expect(await mark(open())).toEqual({ marked: 0, refused: 15 });
    expect(JSON.parse((await walletSync('orphans', 'accept', '--json')).stdout)).toEqual({ accepted: 15 });
    expect(JSON.parse((await walletSync('orphans', '--json')).stdout)).toMatchObject({ orphans: [], refused: null, accepted: 15 });
    expect(await mark(open())).toEqual({ marked: 15, refused: 0 });
    expect(JSON.parse((await walletSync('orphans', '--json')).stdout)).toMatchObject({ refused: null, accepted: null, orphans: expect.objectContaining({ length: 15 }) as unknown });
    await deleteUsers(ids.slice(15, 20));
    expect(await mark(open())).toEqual({ marked: 0, refused: 5 });
  });

  it('what was accepted more than a day ago counts no more', async () => {
    const ids = await addOwners(10);
    await deleteUsers(ids.slice(0, 6));
    await mark(open());
    await walletSync('orphans', 'accept');
    await world.database.asOwner("update wallet_sync.orphan_guard set accepted_at = accepted_at - interval '25 hours'");
    expect(await mark(open())).toEqual({ marked: 0, refused: 6 });
  });

  it('nothing changes once the lease is lost, or the sweep is stopped', async () => {
    const ids = await addOwners(10);
    await deleteUsers(ids.slice(0, 2));
    expect(await markOrphans({ journal: world.database.journal, log: world.log }, open(), () => Promise.resolve(null), never)).toEqual({ marked: 0, refused: 0 });
    expect(await mark(open(), AbortSignal.abort())).toEqual({ marked: 0, refused: 0 });
    expect(await orphans()).toEqual([]);
  });
});

describe('with users from the Auth server alone,', () => {
  const open = () => SOURCES['admin-api']!();
  /** As an older application has it: a deleted user's row keeps his id. */
  const withoutForeignKey = async (work: () => Promise<void>): Promise<void> => {
    await world.database.asOwner('alter table public.wallet drop constraint wallet_auth_id_fkey');
    try {
      await work();
    } finally {
      await world.database.asOwner('delete from public.wallet; alter table public.wallet add constraint wallet_auth_id_fkey foreign key (auth_id) references auth.users (id) on delete set null');
    }
  };

  it('users are found also where the wallet rows keep their ids, a part of all in each sweep', async () => {
    await withoutForeignKey(async () => {
      const ids = await addOwners(120);
      const gone = [ids[10]!, ids[70]!, ids[119]!];
      await deleteUsers(gone);
      const marked: number[] = [];
      for (let sweep = 0; sweep < 4; sweep += 1) marked.push((await mark(open())).marked);
      expect(marked).toEqual([1, 1, 1, 0]);
      expect(await orphans()).toEqual(gone);
      // Round again, orphans too.
      await bringBack(gone.slice(0, 1));
      await mark(open());
      expect(await orphans()).toEqual(gone.slice(1));
    });
  });

  it('a part of all users who are all gone is too many, however many there are', async () => {
    await withoutForeignKey(async () => {
      const ids = await addOwners(1_000);
      await deleteUsers(ids);
      expect((await mark(open())).refused).toBeGreaterThanOrEqual(5);
      expect(await orphans()).toEqual([]);
    });
  });

  it('those who were not asked for yet count among those who are too many', async () => {
    const ids = await addOwners(1_000);
    await deleteUsers(ids.slice(0, 400));
    expect(await mark(open())).toEqual({ marked: 0, refused: 400 });
    await walletSync('orphans', 'accept');
    expect((await mark(open())).marked).toBe(400);
  });

  it('no other answer than that there is no such user marks anybody', async () => {
    const ids = await addOwners(20);
    await deleteUsers(ids.slice(0, 3));
    for (const status of [404, 403, 500]) {
      world.before = (path) => (path.includes(ids[1]!) ? { status } : 'pass');
      await mark(open());
      expect(await orphans()).toEqual([ids[0], ids[2]]);
    }
    await world.database.asOwner('delete from wallet_sync.user_state');
    world.requests.length = 0;
    world.before = () => ({ status: 404, body: '404 page not found' });
    expect(await mark(open())).toEqual({ marked: 0, refused: 0 });
    // The server is left alone after three of them.
    expect(world.requests).toHaveLength(3);
  });
});

it('a user who is in auth.users is not marked, whatever the Auth server of another project says', async () => {
  const ids = await addOwners(10);
  await world.database.asOwner('delete from public.wallet');
  world.before = () => ({ status: 404, body: '{"code":404,"error_code":"user_not_found","msg":"User not found"}' });
  expect((await mark(SOURCES['admin-api']!())).marked).toBe(0);
  const other = await addOwners(1);
  expect(await world.database.journal.query('select wallet_sync.mark_orphans($1) as marked', [[...ids, ...other, randomUUID()]]).then(({ rows }) => rows)).toEqual([{ marked: 0 }]);
  expect(await orphans()).toEqual([]);
});

describe('wallet-sync status', () => {
  it.each(['corrupted', 'orphaned'] as const)('--%s lists them with reason, since and what mends it', async (state) => {
    const [id] = await addOwners(1);
    const other = hex(4);
    await world.database.asOwner("insert into wallet_sync.user_state (auth_id, state, reason, solution, since) values ($1, $2, 'two lines' || chr(10) || $3, 'mend it', '2026-01-02T03:04:05Z')", [id, state, other]);
    const [{ address } = { address: '' }] = await world.database.asOwner<{ address: string }>('select address from wallet_sync.account');
    expect(await walletSync('status', `--${state}`)).toMatchObject({ code: 0, stdout: `user ${id!}, ${address}, ${state} since 2026-01-02T03:04:05Z\n  two lines\n  ${other}\n  mend: mend it\n` });
    expect(JSON.parse((await walletSync('status', `--${state}`, '--json')).stdout)).toEqual({ users: [{ auth_id: id, address, reason: `two lines\n${other}`, solution: 'mend it', since: '2026-01-02T03:04:05.000Z' }] });
    const opposite = state === 'corrupted' ? 'orphaned' : 'corrupted';
    expect(await walletSync('status', `--${opposite}`)).toMatchObject({ code: 0, stdout: `No user is ${opposite}.\n` });
  });

  it('refuses two lists at once', async () => {
    expect(await walletSync('status', '--corrupted', '--orphaned')).toMatchObject({ code: 2 });
    expect(await walletSync('status', '--failed', '--orphaned')).toMatchObject({ code: 2 });
  });

  it('orphans and its accept explain themselves', async () => {
    expect((await walletSync('orphans', '--help')).stdout).toContain('accept');
    expect((await walletSync('orphans', 'accept', '--help')).stdout).toContain('1 %');
  });
});

import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { authIdOf, BENCH_MASTER_KEY } from '../../bench/million/benchUser.js';
import { startComingAndGoing } from '../../bench/million/comingAndGoing.js';
import { readDatabaseTime, resetDatabaseTime, STATEMENT_SETTINGS } from '../../bench/million/databaseTime.js';
import { addressOfKey } from '../../bench/million/keyAddress.js';
import { seedUsers } from '../../bench/million/seedUsers.js';
import { writeRows } from '../../bench/million/userRows.js';
import { publicKeyOf } from '../../src/flow/keys.js';
import { createVault } from '../../src/secrets.js';
import { startDatabase, type Database } from '../support/database.js';
import { until } from '../support/daemonWorld.js';

const USERS = 300;

let database: Database;
let folder: string;
beforeAll(async () => {
  database = await startDatabase({ settings: STATEMENT_SETTINGS });
  folder = await mkdtemp(join(tmpdir(), 'bench-seed-'));
  await chmod(folder, 0o755);
  const paths = [join(folder, 'a.tsv'), join(folder, 'b.tsv')] as const;
  const made: number[] = [];
  const addresses = BigUint64Array.from([...writeRows({ from: 0, to: 100, path: paths[0] }, (count) => made.push(count)), ...writeRows({ from: 100, to: USERS, path: paths[1] }, (count) => made.push(count))]);
  expect(made).toEqual([100, 200]);
  await seedUsers(database.postgres, { paths, addresses }, () => undefined);
});
afterAll(async () => {
  await database?.stop();
  await rm(folder, { recursive: true, force: true });
});

describe('seedUsers', () => {
  it('makes users whose wallets are ready, none of whom waits', async () => {
    expect(await database.asOwner('select count(*)::integer as ready from public.wallet where flow_address is not null')).toEqual([{ ready: USERS }]);
    expect((await database.asOwner('select 1 from wallet_sync.waiting')).length).toBe(0);
    expect(await database.asOwner("select nextval('wallet_sync.assignment')::integer as next")).toEqual([{ next: USERS + 1 }]);
  });

  it('leaves every index and constraint in force', async () => {
    const tables = ['auth.users', 'public.wallet', 'wallet_sync.account'];
    expect(await database.asOwner('select indexrelid::regclass from pg_index where indrelid = any($1::regclass[]) and not (indisready and indisvalid and indislive)', [tables])).toEqual([]);
    await expect(database.postgres.query('supabase_admin', 'insert into auth.users (id) values ($1)', [authIdOf(7)])).rejects.toMatchObject({ code: '23505' });
    await expect(database.postgres.query('supabase_admin', 'insert into public.wallet (auth_id) values ($1)', [authIdOf(7)])).rejects.toMatchObject({ code: '23505' });
  });

  it('stores real key pairs that the bench\'s master key opens, at the address of their rule', async () => {
    const vault = createVault(BENCH_MASTER_KEY);
    const given = await database.asOwner<{ authId: string; address: string; privateKey: string; publicKey: string }>(
      `select auth_id as "authId", address, private_key as "privateKey", public_key as "publicKey" from wallet_sync.account order by assignment`,
    );
    expect(given.map((each) => each.authId)).toEqual(Array.from({ length: USERS }, (_, user) => authIdOf(user)));
    for (const each of given.slice(0, 20)) {
      expect(publicKeyOf(vault.open(each.privateKey, each.publicKey))).toBe(each.publicKey);
      expect(each.address).toBe(addressOfKey(each.publicKey));
    }
    const same = await database.asOwner<{ same: number }>(
      `select count(*)::integer as same from public.wallet w join wallet_sync.account a using (auth_id)
       where (w.flow_address, w.flow_private_key, w.flow_public_key) = (a.address, a.private_key, a.public_key)`,
    );
    expect(same).toEqual([{ same: USERS }]);
  });
});

describe('startComingAndGoing', () => {
  it('lets users come and go as the sweep proceeds', async () => {
    let progress = 0.5;
    const moving = startComingAndGoing({ postgres: database.postgres, users: USERS, count: 10, progress: () => progress });
    await until(10_000, () => Promise.resolve(moving.deleted.size === 5));
    progress = 1;
    await until(10_000, () => Promise.resolve(moving.deleted.size === 10));
    await moving.stop();
    expect(moving.signedUp()).toBe(10);
    const gone = [...moving.deleted].map(authIdOf);
    expect(await database.asOwner('select (select count(*) from auth.users)::integer as users, (select count(*) from public.wallet where auth_id = any($1))::integer as left_over', [gone])).toEqual([{ users: USERS, left_over: 0 }]);
  });
});

describe('readDatabaseTime', () => {
  it('counts what the service\'s role has run, and nobody else\'s statements', async () => {
    await resetDatabaseTime(database.postgres);
    await database.asOwner('select pg_sleep(0.2)');
    expect((await readDatabaseTime(database.postgres)).ms).toBe(0);
    await database.journal.query('select pg_sleep(0.1)');
    const { ms, statements, costliest } = await readDatabaseTime(database.postgres);
    expect(ms).toBeGreaterThan(99);
    expect(ms).toBeLessThan(5_000);
    expect(statements).toBe(1);
    expect(costliest).toMatchObject([{ text: 'select pg_sleep($1)', calls: 1 }]);
  });
});

import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { checkSchema, migrationFiles } from '../../../src/journal/migrate.js';
import { isSchemaMissing } from '../../../src/journal/sqlErrors.js';
import { packagePath } from '../../../src/packagePath.js';
import { signUp } from '../../../dev/signUp.js';
import { fillPool } from '../../support/accounts.js';
import { describeSchema, removeEverything } from '../../support/breakage.js';
import { INSERT_USER, startDatabase, type Database } from '../../support/database.js';
import { makeMissingWallets } from '../../support/missingWallets.js';

let database: Database;
beforeAll(async () => void (database = await startDatabase({ migrated: false })));
afterAll(() => database?.stop());
afterEach(() => database.disconnect());
beforeEach(() => removeEverything(database));

test('migrate applies every file, and applied again it changes nothing', async () => {
  expect(await database.migrate()).toEqual(await migrationFiles());
  await checkSchema(database.journal);
  const before = await describeSchema(database);
  expect(await database.migrate()).toEqual([]);
  expect(await describeSchema(database)).toEqual(before);
});

test('each file applied alone, as a Supabase migration, makes the same, can be applied twice, and satisfies the daemon', async () => {
  await database.migrate();
  const byMigrate = await describeSchema(database);
  await removeEverything(database);
  const client = await database.connect('postgres');
  for (const name of await migrationFiles()) {
    const text = await readFile(packagePath('sql', name), 'utf8');
    await client.query(text);
    await client.query(text);
  }
  await client.end();
  expect(await describeSchema(database)).toEqual(byMigrate);
  await checkSchema(database.journal);
});

test('two migrations at the same time wait for one another', async () => {
  const fresh = await Promise.all([database.migrate(), database.migrate()]);
  expect(fresh.flat()).toEqual(await migrationFiles());
});

test('applied again, migrate waits for no sign-up and no reader of public.wallet', async () => {
  await database.migrate();
  const [reader, signingUp] = [await database.connect('service_role'), await database.connect('supabase_auth_admin')];
  await reader.query('begin');
  await reader.query('select count(*) from public.wallet');
  await fillPool(database.journal, 1);
  await database.asOwner("update wallet_sync.control set assign = 'trigger'");
  // As an older deployment has it.
  await database.asOwner("alter table wallet_sync.account drop constraint public_key_is_hex, add constraint account_public_key_check check (public_key ~ '^[0-9a-f]{128}$')");
  await signingUp.query('begin');
  await signingUp.query(INSERT_USER, [randomUUID()]);
  await signingUp.query("update auth.users set role = 'authenticated', email_confirmed_at = clock_timestamp()");
  // Waiting for either would end in a lock timeout.
  expect(await database.migrate()).toEqual([]);
  await Promise.all([reader.end(), signingUp.end()]);
  const checks = () => database.asOwner("select conname from pg_constraint where conrelid = 'wallet_sync.account'::regclass and conname in ('account_public_key_check', 'public_key_is_hex')");
  expect(await checks()).toEqual([{ conname: 'account_public_key_check' }]);
  await database.migrate();
  expect(await checks()).toEqual([{ conname: 'public_key_is_hex' }]);
});

test('a trigger, a policy or row security that somebody switched off by hand comes back', async () => {
  await database.migrate();
  const before = await describeSchema(database);
  await database.auth.query('alter table auth.users disable trigger zz_wallet_sync_sign_up');
  await database.auth.query('drop trigger zz_wallet_sync_user_change on auth.users');
  await database.asOwner('drop policy "own wallet" on public.wallet');
  await database.asOwner('alter table public.wallet disable row level security');
  await database.asOwner('grant select on public.wallet to authenticated');
  await database.migrate();
  expect(await describeSchema(database)).toEqual(before);
});

test('a dropped schema says `wallet-sync migrate`, and migrate brings it back with everybody who came meanwhile', async () => {
  await database.migrate();
  await database.asOwner('drop schema wallet_sync cascade');
  const error: unknown = await checkSchema(database.journal).catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ mend: 'run `wallet-sync migrate`' });
  expect(isSchemaMissing(error)).toBe(true);
  await signUp(database.auth);
  expect(await database.migrate()).toEqual(await migrationFiles());
  await checkSchema(database.journal);
  expect((await makeMissingWallets(database.journal)).made).toBe(1);
});

test('a database that lacks a file says `wallet-sync migrate`', async () => {
  await database.migrate();
  await database.asOwner("delete from wallet_sync.migration where name like '007%'");
  await expect(checkSchema(database.journal)).rejects.toMatchObject({ message: 'the database lacks 007_realtime.sql', mend: 'run `wallet-sync migrate`' });
});

test('a newer breaking file is refused by the daemon, and by migrate, which leaves all as it is', async () => {
  await database.migrate();
  await database.asOwner("insert into wallet_sync.migration (name) values ('998_addition.sql')");
  await checkSchema(database.journal);
  await database.asOwner("insert into wallet_sync.migration (name, breaking) values ('999_future.sql', true)");
  const refusal = { message: 'the database is newer than this version: 999_future.sql', mend: 'update flow-wallet-sync' };
  await expect(checkSchema(database.journal)).rejects.toMatchObject(refusal);
  await database.asOwner('drop view wallet_sync.waiting');
  await expect(database.migrate()).rejects.toMatchObject(refusal);
  expect(await database.asOwner("select to_regclass('wallet_sync.waiting')::text as waiting")).toEqual([{ waiting: null }]);
});

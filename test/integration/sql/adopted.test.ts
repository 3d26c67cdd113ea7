import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { signUp } from '../../../dev/signUp.js';
import { generateKeyPair } from '../../../src/flow/keys.js';
import { digestOf, shapeOf } from '../../../src/handlers/adopt/oldKeys.js';
import { changeRows, keepFileKeys, oldRowsAfter, oldRowsOf, type OldRow, type RowChange } from '../../../src/journal/adopted.js';
import { startDatabase, type Database } from '../../support/database.js';

let database: Database;
beforeAll(async () => void (database = await startDatabase()));
afterAll(() => database?.stop());
afterEach(() => database.disconnect());
beforeEach(async () => {
  await database.clear();
  await database.asOwner('delete from wallet_sync.adopted');
});

const ADDRESS = '0xf8d6e0586b0a20c7';
const pair = generateKeyPair();

async function oldRow(): Promise<OldRow> {
  const { authId } = await signUp(database.auth);
  await database.asOwner('update public.wallet set flow_address = $2, flow_private_key = $3, flow_public_key = null where auth_id = $1', [authId, ADDRESS, pair.privateKey]);
  return (await oldRowsOf(database.journal, [authId]))[0]!;
}
const encrypted = (row: OldRow): RowChange => ({ id: row.id, action: 'encrypted', oldAddress: row.address, oldPublicKey: row.publicKey, oldDigest: digestOf(row.privateKey ?? ''), address: row.address, publicKey: pair.publicKey, privateKey: 'v1:sealed', sealedKey: 'v1:sealed', sealedFor: pair.publicKey });
const history = () => database.asOwner<{ action: string; old_private_key: string | null }>('select * from wallet_sync.adopted order by id');
const wallet = async (row: OldRow) => (await oldRowsOf(database.journal, [row.authId ?? '']))[0]!;

test('a row is changed where its old texts still stand, with its history: never the key in the clear', async () => {
  const row = await oldRow();
  expect(await changeRows(database.journal, [encrypted(row)])).toEqual(new Set([row.id]));
  expect(await wallet(row)).toMatchObject({ address: ADDRESS, publicKey: pair.publicKey, privateKey: 'v1:sealed' });
  expect(await history()).toMatchObject([{ action: 'encrypted', old_address: ADDRESS, old_public_key: null, old_private_key: null, sealed_key: 'v1:sealed', public_key: pair.publicKey, auth_id: row.authId, wallet_id: row.id }]);
  expect(JSON.stringify(await history())).not.toContain(pair.privateKey);
});

test.each(['\uFEFF', '\u00A0', ' \n', '0x', '\uFEFF0X'])('of a key in the clear nothing is kept, whatever stands before it: %j', async (before) => {
  const row = await oldRow();
  await database.asOwner('update public.wallet set flow_private_key = $2 where auth_id = $1', [row.authId, `${before}${pair.privateKey}\u00A0`]);
  const found = await wallet(row);
  expect(shapeOf(found.privateKey ?? '')).toBe('plaintext');
  expect(await changeRows(database.journal, [encrypted(found)])).toEqual(new Set([row.id]));
  expect(await history()).toMatchObject([{ old_private_key: null, sealed_key: 'v1:sealed' }]);
});

test('a key in the clear that an earlier version of the table let pass is removed when the migration is applied again', async () => {
  await database.asOwner("alter table wallet_sync.adopted drop constraint no_key_in_the_clear, add constraint no_key_in_the_clear check (old_private_key !~* '^\\s*(0x)?[0-9a-f]{64}\\s*$')");
  for (const text of [`\uFEFF${pair.privateKey}`, 'blob']) await database.asOwner("insert into wallet_sync.adopted (action, old_private_key) values ('encrypted', $1)", [text]);
  await database.migrate();
  expect((await history()).map((entry) => entry.old_private_key)).toEqual([null, 'blob']);
  await expect(database.journal.query("insert into wallet_sync.adopted (action, old_private_key) values ('encrypted', $1)", [`\uFEFF${pair.privateKey}`])).rejects.toThrow('no_key_in_the_clear');
  // Applied again, the constraint stays the one that it is.
  const oid = () => database.asOwner("select oid from pg_constraint where conname = 'no_key_in_the_clear'");
  const before = await oid();
  await database.migrate();
  expect(await oid()).toEqual(before);
});

test.each([
  ['address', "flow_address = '0x01'"],
  ['public key', "flow_public_key = 'another'"],
  ['private key', "flow_private_key = 'another'"],
  ['private key, gone', 'flow_private_key = null'],
])('a row whose %s has changed since it was looked at stays as it is', async (_, change) => {
  const row = await oldRow();
  await database.asOwner(`update public.wallet set ${change} where auth_id = $1`, [row.authId]);
  const before = await wallet(row);
  expect((await changeRows(database.journal, [encrypted(row)])).size).toBe(0);
  expect(await wallet(row)).toEqual(before);
  expect(await history()).toEqual([]);
});

test('a row that somebody holds is passed over at once, and its neighbours are changed', async () => {
  const [held, free] = [await oldRow(), await oldRow()];
  const holder = await database.connect('postgres');
  await holder.query('begin');
  await holder.query('select from public.wallet where auth_id = $1 for update', [held.authId]);
  expect(await changeRows(database.journal, [encrypted(held), encrypted(free)])).toEqual(new Set([free.id]));
});

test('two adoptions at once write each change once', async () => {
  const rows = await Promise.all(Array.from({ length: 20 }, oldRow));
  const both = await Promise.all([changeRows(database.journal, rows.map(encrypted)), changeRows(database.journal, rows.map(encrypted))]);
  for (const row of rows) expect(both.filter((changed) => changed.has(row.id)).length).toBeLessThanOrEqual(1);
  await changeRows(database.journal, rows.map(encrypted));
  expect((await history()).length).toBe(rows.length);
});

test('a row is emptied only where its user may have a wallet and has no account', async () => {
  const empty = (row: OldRow): RowChange => ({ ...encrypted(row), action: 'provisioned', address: null, publicKey: null, privateKey: null });
  const [gone, given, plain] = [await oldRow(), await oldRow(), await oldRow()];
  await database.auth.query('update auth.users set deleted_at = now() where id = $1', [gone.authId]);
  await database.asOwner("insert into wallet_sync.account (state, public_key, private_key, address, auth_id, assignment) values ('assigned', $1, 'x', '0x0000000000000001', $2, 1)", ['ab'.repeat(64), given.authId]);
  expect(await changeRows(database.journal, [empty(gone), empty(given), empty(plain)])).toEqual(new Set([plain.id]));
  expect(await wallet(plain)).toMatchObject({ address: null, publicKey: null, privateKey: null });
});

test('rows are read in the order of their ids, each once, whatever is written meanwhile', async () => {
  const rows = [await oldRow(), await oldRow(), await oldRow()];
  const first = await oldRowsAfter(database.journal, null, 2);
  await changeRows(database.journal, first.map(encrypted));
  const rest = await oldRowsAfter(database.journal, first.at(-1)!.id, 2);
  expect([...first, ...rest].map((row) => row.id)).toEqual(rows.map((row) => row.id));
});

test('a key file\'s key is kept once, however often it is found', async () => {
  const kept = { authId: (await oldRow()).authId ?? '', address: ADDRESS, publicKey: pair.publicKey, sealedKey: 'v1:sealed' };
  expect(await keepFileKeys(database.journal, [kept])).toBe(1);
  expect(await keepFileKeys(database.journal, [{ ...kept, sealedKey: 'v1:sealed again' }])).toBe(0);
  expect(await keepFileKeys(database.journal, [{ ...kept, address: null }])).toBe(1);
});

test('the history takes no key in the clear, and nobody but the owner changes or removes an entry', async () => {
  for (const text of [pair.privateKey, `0x${pair.privateKey.toUpperCase()}`, ` ${pair.privateKey}\n`, `\uFEFF${pair.privateKey}`, `key: ${pair.privateKey};`]) {
    await expect(database.journal.query("insert into wallet_sync.adopted (action, old_private_key) values ('encrypted', $1)", [text])).rejects.toThrow('no_key_in_the_clear');
  }
  for (const sql of ['delete from wallet_sync.adopted', "update wallet_sync.adopted set old_address = 'x'", 'truncate wallet_sync.adopted']) await expect(database.journal.query(sql)).rejects.toThrow('permission denied');
});

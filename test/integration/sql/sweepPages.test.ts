import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { signUp } from '../../../dev/signUp.js';
import { assignAccounts } from '../../../src/journal/assignments.js';
import { adoptWallets, makeWallets, markAllCorrupted, readWallets, sharedAddresses, unmarkCorrupted } from '../../../src/journal/sweepPages.js';
import { fillPool } from '../../support/accounts.js';
import { hex, startDatabase, type Database } from '../../support/database.js';

let database: Database;
beforeAll(async () => void (database = await startDatabase()));
afterAll(() => database?.stop());
beforeEach(() => database.clear());

/** So many users; those given an account come first. */
async function users(count: number, given = 0): Promise<string[]> {
  await fillPool(database.journal, given);
  const ids: string[] = [];
  for (let i = 0; i < count; i++) ids.push((await signUp(database.auth)).authId);
  await assignAccounts(database.journal, { maxUsers: 1_000, via: 'poll', heard: {} });
  return ids;
}

/** A wallet that was there before this service. */
async function stranger(address = `0x${hex(8)}`): Promise<string> {
  const [authId] = await users(1);
  await database.asOwner('update public.wallet set flow_address = $2, flow_private_key = $3, flow_public_key = $4 where auth_id = $1', [authId, address, 'sealed', hex(64)]);
  return authId!;
}

describe('a page of users', () => {
  test('shows each wallet as public.wallet and the journal have it, in the order that was asked for', async () => {
    const [given, waiting] = await users(2, 1);
    const old = await stranger();
    const nobody = randomUUID();
    const rows = await readWallets(database.journal, [old, nobody, waiting!, given!]);
    expect(rows.map((row) => [row.authId, row.hasRow, row.address !== null, row.accountId !== null, row.asRecorded])).toEqual([
      [old, true, true, false, false],
      [nobody, false, false, false, false],
      [waiting, true, false, false, false],
      [given, true, true, true, true],
    ]);
  });

  test.each(['flow_address', 'flow_private_key', 'flow_public_key'])('tells where %s is not the account\'s', async (column) => {
    const [given] = await users(1, 1);
    await database.asOwner(`update public.wallet set ${column} = $2 where auth_id = $1`, [given, `0x${hex(8)}`]);
    expect((await readWallets(database.journal, [given!]))[0]?.asRecorded).toBe(false);
  });

  test('tells whose address or public key is that of another account', async () => {
    const [given] = await users(1, 1);
    const [account] = await database.asOwner<{ address: string; public_key: string }>('select address, public_key from wallet_sync.account where auth_id = $1', [given]);
    const [thief, copier, honest] = [await stranger(account!.address), await stranger(), await stranger()];
    await database.asOwner('update public.wallet set flow_public_key = $2 where auth_id = $1', [copier, account!.public_key]);
    const rows = await readWallets(database.journal, [given!, thief, copier, honest]);
    expect(rows.map((row) => row.isTaken)).toEqual([false, true, true, false]);
  });
});

test('rows are made for users who lack one, once; not for those who are gone or may have none', async () => {
  const ids = await users(4, 1);
  await database.asOwner('delete from public.wallet where auth_id = any($1)', [ids.slice(0, 3)]);
  await database.auth.query('update auth.users set deleted_at = clock_timestamp() where id = $1', [ids[2]]);
  expect(await makeWallets(database.journal, [...ids, randomUUID()])).toBe(2);
  expect(await makeWallets(database.journal, ids)).toBe(0);
  const [given, other] = await readWallets(database.journal, ids);
  expect(given, 'filled again from the home of record').toMatchObject({ asRecorded: true });
  expect(other).toMatchObject({ hasRow: true, address: null });
});

test('addresses that several users have are told, however they are written; rows of deleted users do not count', async () => {
  const address = `0x${hex(8)}`;
  const [one, two, gone] = [await stranger(address), await stranger(address.toUpperCase().slice(2)), await stranger(`0x${hex(8)}`)];
  await database.asOwner('update public.wallet set flow_address = (select flow_address from public.wallet where auth_id = $1) where auth_id = $2', [gone, two]);
  expect(await sharedAddresses(database.journal, 10)).toHaveLength(1);
  await database.auth.query('delete from auth.users where id = $1', [gone]);
  expect(await sharedAddresses(database.journal, 10)).toEqual([]);
  await database.asOwner('update public.wallet set flow_address = $2 where auth_id = $1', [two, address.toUpperCase().slice(2)]);
  expect(await sharedAddresses(database.journal, 10)).toEqual([address.slice(2)]);
  expect(one).toBeTruthy();
});

test('a user who is deleted while rows are made gets none, and keeps the others from nothing', async () => {
  const ids = await users(3);
  await database.asOwner('delete from public.wallet');
  const deletion = await database.connect('supabase_auth_admin');
  await deletion.query('begin');
  await deletion.query('delete from auth.users where id = $1', [ids[1]]);
  expect(await makeWallets(database.journal, ids), 'while his deletion is not committed').toBe(2);
  await deletion.query('commit');
  expect((await readWallets(database.journal, ids)).map((row) => row.hasRow)).toEqual([true, false, true]);
  await database.disconnect();
});

describe('a wallet of before', () => {
  /** As a sweep read it, before it asked the chain. */
  const asRead = async (authId: string) => {
    const [row] = await readWallets(database.journal, [authId]);
    return { authId, address: row!.address!, publicKey: row!.publicKey!, privateKey: row!.privateKey! };
  };

  test('is taken into the journal as an account that its user was given', async () => {
    const old = await stranger();
    const adopted = await adoptWallets(database.journal, [await asRead(old)]);
    const [row] = await readWallets(database.journal, [old]);
    expect(row).toMatchObject({ accountId: adopted.get(old), asRecorded: true, isTaken: false });
    expect(await adoptWallets(database.journal, [await asRead(old)]), 'once').toEqual(new Map());
  });

  test('is not, where its address is another account\'s by then', async () => {
    const address = `0x${hex(8)}`;
    const strangers = await Promise.all([await stranger(address), await stranger(address)].map(asRead));
    expect((await adoptWallets(database.journal, strangers)).size).toBe(1);
  });

  test('is passed over at once, and its neighbours are not, while somebody holds its row', async () => {
    const [held, other] = await Promise.all([await stranger(), await stranger()].map(asRead));
    const holder = await database.connect('postgres');
    await holder.query('begin');
    await holder.query('select from public.wallet where auth_id = $1 for update', [held!.authId]);
    expect([...(await adoptWallets(database.journal, [held!, other!])).keys()]).toEqual([other!.authId]);
    await holder.query('rollback');
  }, 20_000);

  test.each(['flow_address = null', "flow_private_key = 'garbage'", 'flow_public_key = null'])('is not, where its row has changed since it was checked: %s', async (change) => {
    const old = await asRead(await stranger());
    await database.asOwner(`update public.wallet set ${change} where auth_id = $1`, [old.authId]);
    expect(await adoptWallets(database.journal, [old])).toEqual(new Map());
    expect(await database.asOwner('select 1 from wallet_sync.account')).toEqual([]);
  });
});

test('a corruption is marked with its reason, keeps the time since when, and is unmarked', async () => {
  const [user] = await users(1);
  const mark = (reason: string) => markAllCorrupted(database.journal, [{ authId: user!, reason, solution: 'by hand' }]);
  const state = () => database.asOwner<{ reason: string; since: Date }>("select reason, since from wallet_sync.user_state where auth_id = $1 and state = 'corrupted'", [user]);
  await mark('first');
  const [before] = await state();
  await mark('second');
  const [after] = await state();
  expect(after).toEqual({ reason: 'second', since: before!.since });
  await unmarkCorrupted(database.journal, [user!]);
  expect(await state()).toEqual([]);
});

import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { signUp } from '../../../dev/signUp.js';
import { assignAccounts } from '../../../src/journal/assignments.js';
import { fillPool } from '../../support/accounts.js';
import { startDatabase, type Database } from '../../support/database.js';
import { makeMissingWallets } from '../../support/missingWallets.js';

let database: Database;
beforeAll(async () => void (database = await startDatabase()));
afterAll(() => database?.stop());
beforeEach(() => database.clear());

const assign = () => assignAccounts(database.journal, { maxUsers: 10, via: 'poll', heard: {} });
const deleteUser = (authId: string) => database.auth.query('delete from auth.users where id = $1', [authId]);

test('deleting a user succeeds: his account keeps key, address and user, and the wallet row its address', async () => {
  const { authId } = await signUp(database.auth);
  const [address] = await fillPool(database.journal, 1);
  await assign();
  const account = 'select state, auth_id, address, private_key, public_key from wallet_sync.account';
  const before = await database.asOwner(account);
  expect(before).toMatchObject([{ state: 'assigned', auth_id: authId, address }]);

  await deleteUser(authId);
  expect(await database.asOwner(account)).toEqual(before);
  expect(await database.asOwner('select auth_id, flow_address from public.wallet')).toEqual([{ auth_id: null, flow_address: address }]);
});

test('a user who is deleted while he waits is given nothing', async () => {
  const { authId } = await signUp(database.auth);
  await fillPool(database.journal, 1);
  await deleteUser(authId);
  expect(await assign()).toEqual([]);
});

test('a softly deleted user gets no wallet row from the sweep', async () => {
  const { authId } = await signUp(database.auth);
  await database.asOwner('delete from public.wallet');
  await database.auth.query('update auth.users set deleted_at = clock_timestamp() where id = $1', [authId]);
  expect(await makeMissingWallets(database.journal)).toEqual({ users: 0, made: 0 });
});

test('users without a row get one, page by page, in order of arrival within a page', async () => {
  const users: string[] = [];
  for (let i = 0; i < 7; i++) users.push((await signUp(database.auth)).authId);
  await database.asOwner('delete from public.wallet where auth_id <> $1', [users[3]]);
  expect(await makeMissingWallets(database.journal, 3)).toEqual({ users: 7, made: 6 });
  expect((await database.asOwner('select auth_id from public.wallet')).map((row) => row['auth_id'] as string).sort()).toEqual([...users].sort());
});

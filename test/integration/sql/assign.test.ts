import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { signUp, signUpMany } from '../../../dev/signUp.js';
import { assignAccounts, markCorrupted, waitingUsers } from '../../../src/journal/assignments.js';
import { assignmentsAfter } from '../../../src/journal/exports.js';
import { restoreWallets } from '../../../src/journal/users.js';
import { fillPool } from '../../support/accounts.js';
import { startDatabase, type Database } from '../../support/database.js';

let database: Database;
beforeAll(async () => void (database = await startDatabase()));
afterAll(() => database?.stop());
beforeEach(() => database.clear());

const assign = (maxUsers: number, onlyUser?: string) => assignAccounts(database.journal, { maxUsers, via: 'poll', heard: {}, ...(onlyUser === undefined ? {} : { onlyUser }) });
const wallets = () => database.asOwner<{ auth_id: string; flow_address: string | null }>('select auth_id, flow_address from public.wallet order by id');

async function signUpInTurn(count: number): Promise<string[]> {
  const ids: string[] = [];
  for (let i = 0; i < count; i++) ids.push((await signUp(database.auth)).authId);
  return ids;
}

test('users are given accounts in order of arrival, and the wallet row is filled in the same statement', async () => {
  const users = await signUpInTurn(3);
  const addresses = await fillPool(database.journal, 2);
  const given = await assign(10);
  expect(given.map(({ authId, address }) => [authId, address]).sort()).toEqual([[users[0], addresses[0]], [users[1], addresses[1]]].sort());
  expect(await wallets()).toEqual([
    { auth_id: users[0], flow_address: addresses[0] },
    { auth_id: users[1], flow_address: addresses[1] },
    { auth_id: users[2], flow_address: null },
  ]);
  expect(await waitingUsers(database.journal, 10)).toEqual([users[2]]);
  const [filled] = await database.asOwner(
    `select count(*)::int as same from public.wallet w join wallet_sync.account a
     on a.auth_id = w.auth_id and a.address = w.flow_address and a.private_key = w.flow_private_key and a.public_key = w.flow_public_key`,
  );
  expect(filled).toEqual({ same: 2 });
});

test('each assignment knows which source led to it, and its place in the order of giving', async () => {
  const [heard, other] = await signUpInTurn(2);
  await fillPool(database.journal, 2);
  await assignAccounts(database.journal, { maxUsers: 10, via: 'poll', heard: { [heard!]: 'notify' } });
  expect(await database.asOwner('select auth_id, delivered_by from wallet_sync.account order by assignment')).toEqual([
    { auth_id: heard, delivered_by: 'notify' },
    { auth_id: other, delivered_by: 'poll' },
  ]);
  const all = await assignmentsAfter(database.journal, 0, 10);
  expect((await assignmentsAfter(database.journal, all[0]!.assignment, 10)).map((account) => account.authId)).toEqual([all[1]!.authId]);
});

test('connections that assign at the same time never give one account twice, nor one user two', async () => {
  const COUNT = 120;
  const users = await signUpMany(database.auth, COUNT);
  const addresses = await fillPool(database.journal, COUNT);
  const assignAll = async () => {
    const mine: string[] = [];
    // Rows that another connection holds are skipped: one that finds nothing is done only when nobody waits.
    while ((await waitingUsers(database.journal, 1)).length > 0) mine.push(...(await assign(7)).map((given) => `${given.authId} ${given.address}`));
    return mine;
  };
  const given = (await Promise.all(Array.from({ length: 6 }, assignAll))).flat();
  expect(given.length).toBe(COUNT);
  expect(new Set(given.map((pair) => pair.split(' ')[0]))).toEqual(new Set(users.map((user) => user.authId)));
  expect(new Set(given.map((pair) => pair.split(' ')[1]))).toEqual(new Set(addresses));
  expect(new Set((await wallets()).map((wallet) => `${wallet.auth_id} ${wallet.flow_address}`))).toEqual(new Set(given));
});

test.each(['flow_address', 'flow_private_key', 'flow_public_key'])('a row that holds only a %s is never filled', async (column) => {
  const [user] = await signUpInTurn(1);
  await fillPool(database.journal, 1);
  await database.asOwner(`update public.wallet set ${column} = 'old'`);
  expect(await assign(10)).toEqual([]);
  expect(await assign(10, user)).toEqual([]);
  expect(await database.asOwner('select flow_address, flow_private_key, flow_public_key from public.wallet')).toEqual([
    { flow_address: null, flow_private_key: null, flow_public_key: null, [column]: 'old' },
  ]);
});

test('a row that an application fills while accounts are given is not overwritten, and nobody waits for it', async () => {
  const [, second] = await signUpInTurn(2);
  await fillPool(database.journal, 2);
  const application = await database.connect('service_role');
  await application.query('begin');
  await application.query("update public.wallet set flow_address = '0xown' where id = (select min(id) from public.wallet)");
  expect((await assign(10)).map((given) => given.authId)).toEqual([second]);
  await application.query('commit');
  expect(await assign(10)).toEqual([]);
  expect((await wallets())[0]!.flow_address).toBe('0xown');
});

test.each(['held', 'corrupted', 'orphaned'])('a user who is %s is given nothing, and delays nobody behind him', async (state) => {
  const [first, second] = await signUpInTurn(2);
  await fillPool(database.journal, 2);
  await markCorrupted(database.journal, first!, 'by hand', 'look at it');
  await database.journal.query('update wallet_sync.user_state set state = $1', [state]);
  expect((await assign(10)).map((given) => given.authId)).toEqual([second]);
  expect(await waitingUsers(database.journal, 10)).toEqual([]);
});

test('one user alone can be given his account, whatever stands before him', async () => {
  const users = await signUpInTurn(3);
  await fillPool(database.journal, 3);
  expect((await assign(10, users[1])).map((given) => given.authId)).toEqual([users[1]]);
});

test('emptied wallet rows are filled again from the home of record, and nobody is given a second account', async () => {
  const users = await signUpInTurn(2);
  const addresses = await fillPool(database.journal, 4);
  await assign(10);
  await database.asOwner('update public.wallet set flow_address = null, flow_private_key = null, flow_public_key = null');
  expect(await waitingUsers(database.journal, 10), 'who has an account does not wait').toEqual([]);
  expect(await assign(10)).toEqual([]);
  expect(await restoreWallets(database.journal)).toBe(2);
  expect(await wallets()).toEqual(users.map((auth_id, index) => ({ auth_id, flow_address: addresses[index] })));
  expect(await restoreWallets(database.journal)).toBe(0);
});

test.each([undefined, 'one user'])('while paused nothing is given, in whatever loop it is asked for (%s)', async (only) => {
  await fillPool(database.journal, 1);
  const { authId } = await signUp(database.auth);
  const ask = () => assignAccounts(database.journal, { maxUsers: 10, via: 'poll', heard: {}, ...(only === undefined ? {} : { onlyUser: authId }) });
  await database.journal.query('select wallet_sync.set_paused(true)');
  expect(await ask()).toEqual([]);
  await database.journal.query('select wallet_sync.set_paused(false)');
  expect((await ask()).map((given) => given.authId)).toEqual([authId]);
});

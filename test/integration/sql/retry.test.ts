import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { signUp } from '../../../dev/signUp.js';
import { AppError } from '../../../src/errors.js';
import { setApart } from '../../../src/journal/apart.js';
import { assignAccounts, markCorrupted, waitingUsers } from '../../../src/journal/assignments.js';
import { recordFailedCreation, recordSealedCreation } from '../../../src/journal/creations.js';
import { prepareAccounts, type PreparedAccount } from '../../../src/journal/demand.js';
import { readFailures, retryAccount, retryAllFailed, retryUser } from '../../../src/journal/retry.js';
import { leaseSlot, registerSlots } from '../../../src/journal/slots.js';
import { recordTransaction, type LiveTransaction } from '../../../src/journal/transactions.js';
import { fillPool, makeKeys } from '../../support/accounts.js';
import { hex, startDatabase, type Database } from '../../support/database.js';

const ADDRESS = '0x00000000000000aa';
const STRANGER = '00000000-0000-4000-8000-000000000000';

let database: Database;
let ann: string;
beforeAll(async () => void (database = await startDatabase()));
afterAll(() => database?.stop());
beforeEach(async () => {
  await database.clear();
  ann = await database.instance();
  await registerSlots(database.journal, [{ address: ADDRESS, keyIndex: 0 }]);
});

const prepare = (count: number): Promise<PreparedAccount[]> =>
  prepareAccounts(database.journal, { instanceId: ann, poolSize: 1_000, maxAccounts: count, decide: () => count, room: () => Promise.resolve(Infinity), makeKeys });

async function record(accounts: readonly PreparedAccount[]): Promise<LiveTransaction> {
  const slot = (await leaseSlot(database.journal, ann, [ADDRESS]))!;
  return recordTransaction(database.journal, {
    instanceId: ann, kind: 'create', slot, transaction: { id: hex(32), body: '{}' }, sequenceNumber: 7, referenceHeight: 100, expiryBlocks: 600,
    members: accounts.map((account) => ({ accountId: account.id })),
  });
}

/** An account that stood alone in its transaction and made it fail. */
async function failAlone(accounts?: readonly PreparedAccount[], message = 'not a point of the curve'): Promise<number> {
  const members = accounts ?? (await prepare(1));
  const transaction = await record(members);
  const error = new AppError('chain-state', message, { mend: 'look at it' });
  await recordFailedCreation(database.journal, { instanceId: ann, transaction, sealedHeight: 110, error, fee: 1n, batchMax: 0 });
  return members[0]!.id;
}

const readAccount = async (id: number) => (await database.asOwner('select state::text, prepared_by, batch_max, error_kind, error, solution from wallet_sync.account where id = $1', [id]))[0]!;
const FAULT = { error_kind: 'chain-state', error: 'not a point of the curve', solution: 'look at it' };

test('a failed account goes back to prepared, keeps its error, and comes first, alone in its batch', async () => {
  const id = await failAlone();
  expect(await readAccount(id)).toMatchObject({ state: 'failed', ...FAULT });
  expect(await retryAccount(database.journal, id)).toEqual({ retried: true });
  expect(await readAccount(id)).toEqual({ state: 'prepared', prepared_by: null, batch_max: 1, ...FAULT });
  expect(await database.asOwner("select to_state::text as state from wallet_sync.account_history where account_id = $1 and from_state = 'failed'", [id])).toEqual([{ state: 'prepared' }]);

  expect((await prepare(25)).map((account) => account.id)).toEqual([id]);
});

test('its error is forgotten when it succeeds, and told anew when it fails again', async () => {
  const id = await failAlone();
  await retryAccount(database.journal, id);
  await failAlone(await prepare(1), 'still none');
  expect(await readAccount(id)).toMatchObject({ state: 'failed', error: 'still none' });

  await retryAccount(database.journal, id);
  const accounts = await prepare(1);
  const transaction = await record(accounts);
  const created = accounts.map((account) => ({ publicKey: account.publicKey, address: `0x${hex(8)}` }));
  await recordSealedCreation(database.journal, { instanceId: ann, transaction, sealedHeight: 120, created, fee: 1n, executionEffort: 1 });
  expect(await readAccount(id)).toMatchObject({ state: 'free', batch_max: null, error_kind: null, error: null, solution: null });
});

test('an account that has not failed is left as it is, and its state told; nobody knows a number that is none', async () => {
  const [prepared] = await prepare(1);
  const before = await readAccount(prepared!.id);
  expect(await retryAccount(database.journal, prepared!.id)).toEqual({ retried: false, state: 'prepared' });
  expect(await readAccount(prepared!.id)).toEqual(before);
  expect(await retryAccount(database.journal, 999_999_999)).toBe(null);
});

test('a user who was set apart waits again', async () => {
  const { authId } = await signUp(database.auth);
  await markCorrupted(database.journal, authId, 'his row refuses', 'mend the row');
  expect(await waitingUsers(database.journal, 10)).toEqual([]);
  expect(await retryUser(database.journal, authId)).toEqual({ retried: true });
  expect(await waitingUsers(database.journal, 10)).toEqual([authId]);
});

test('a user who was set apart and has an account gets his emptied row filled', async () => {
  const { authId } = await signUp(database.auth);
  await fillPool(database.journal, 1);
  const [assigned] = await assignAccounts(database.journal, { maxUsers: 1, via: 'poll', heard: {} });
  await database.asOwner('update public.wallet set flow_address = null, flow_private_key = null, flow_public_key = null');
  await markCorrupted(database.journal, authId, 'emptied', 'look again');
  expect(await retryUser(database.journal, authId)).toEqual({ retried: true });
  expect(await database.asOwner('select flow_address from public.wallet')).toEqual([{ flow_address: assigned!.address }]);
});

test('a user who was not set apart has nothing to retry: waiting, ready, held; nobody knows a stranger', async () => {
  const [ready, waiting, held] = [await signUp(database.auth), await signUp(database.auth), await signUp(database.auth)];
  await fillPool(database.journal, 1);
  await assignAccounts(database.journal, { maxUsers: 1, via: 'poll', heard: {}, onlyUser: ready.authId });
  await database.asOwner("insert into wallet_sync.user_state (auth_id, state, reason) values ($1, 'held', 'not confirmed')", [held.authId]);
  expect(await retryUser(database.journal, ready.authId)).toEqual({ retried: false, state: 'ready' });
  expect(await retryUser(database.journal, waiting.authId)).toEqual({ retried: false, state: 'waiting' });
  expect(await retryUser(database.journal, held.authId)).toEqual({ retried: false, state: 'held' });
  expect(await retryUser(database.journal, STRANGER)).toBe(null);
  expect(await database.asOwner('select count(*)::int as held from wallet_sync.user_state')).toEqual([{ held: 1 }]);
});

const APART = '0xf8d6e0586b0a20c7';

test('all failed ones at once: every failed account, every user and every wallet that was set apart, and nobody else', async () => {
  const first = await failAlone();
  const second = await failAlone();
  const [prepared] = await prepare(1);
  const { authId } = await signUp(database.auth);
  const held = await signUp(database.auth);
  await markCorrupted(database.journal, authId, 'his row refuses', 'mend the row');
  await database.asOwner("insert into wallet_sync.user_state (auth_id, state, reason) values ($1, 'held', 'not confirmed')", [held.authId]);

  await setApart(database.journal, 'repair', APART, 'something else is stored');
  expect(await readFailures(database.journal)).toMatchObject({
    accounts: [{ id: first, ...FAULT, since: expect.any(Date) as Date }, { id: second, ...FAULT }],
    users: [{ auth_id: authId, reason: 'his row refuses', solution: 'mend the row', since: expect.any(Date) as Date }],
    wallets: [{ auth_id: null, address: APART, work: 'repair', reason: 'something else is stored', attempts: 1 }],
  });
  expect(await retryAllFailed(database.journal)).toEqual({ accounts: [first, second], users: [authId], wallets: [APART] });
  expect(await readAccount(second)).toMatchObject({ state: 'prepared', batch_max: 1, ...FAULT });
  expect(await readAccount(prepared!.id)).toMatchObject({ state: 'prepared', batch_max: null });
  expect(await database.asOwner('select auth_id from wallet_sync.user_state')).toEqual([{ auth_id: held.authId }]);

  expect(await readFailures(database.journal)).toEqual({ accounts: [], users: [], wallets: [] });
  expect(await retryAllFailed(database.journal)).toEqual({ accounts: [], users: [], wallets: [] });
});

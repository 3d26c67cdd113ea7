import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { AppError } from '../../../src/errors.js';
import { recordFailedCreation, recordGivenUpCreation } from '../../../src/journal/creations.js';
import { prepareAccounts, readDemand, releaseUnused, type PreparedAccount } from '../../../src/journal/demand.js';
import { heartbeat, stopInstance } from '../../../src/journal/instances.js';
import { leaseSlot, registerSlots, releaseSlot, type Slot } from '../../../src/journal/slots.js';
import { takeOverTransactions } from '../../../src/journal/takeOver.js';
import type { LiveTransaction } from '../../../src/journal/transactions.js';
import { makeKeys } from '../../support/accounts.js';
import { startDatabase, type Database } from '../../support/database.js';
import { FUNDER, journalSteps, type JournalSteps } from '../../support/journalWorld.js';

let database: Database;
let ann: string;
let bob: string;
let steps: JournalSteps;

beforeAll(async () => void (database = await startDatabase()));
afterAll(() => database?.stop());
beforeEach(async () => {
  await database.clear();
  [ann, bob] = [await database.instance(), await database.instance()];
  steps = await journalSteps(database, 1);
});

const lease = (instance: string): Promise<Slot | null> => leaseSlot(database.journal, instance, [FUNDER]);
/** Moves the lease's end into the past, as time would. */
const endLease = () => database.asOwner("update wallet_sync.slot set lease_until = clock_timestamp() - interval '1 ms' where leased_by is not null");
const readSlot = async () => (await database.asOwner('select leased_by, epoch::int, sequence_number::int, lease_until > clock_timestamp() as held from wallet_sync.slot'))[0]!;
const prepare = (instanceId: string, count: number): Promise<PreparedAccount[]> => steps.prepare(instanceId, count);
const record = (instanceId: string, slot: Slot, accounts: readonly PreparedAccount[]): Promise<LiveTransaction> =>
  steps.recordOn(slot, instanceId, 'create', accounts.map((account) => ({ accountId: account.id })));
const seal = (instanceId: string, transaction: LiveTransaction, accounts: readonly PreparedAccount[]) => steps.seal(instanceId, transaction, accounts);

test('a slot is leased to one instance at a time, and to another once it is given back, with its sequence number', async () => {
  const first = (await lease(ann))!;
  expect(await lease(bob)).toBe(null);
  await releaseSlot(database.journal, ann, first, 8);
  expect(await lease(bob)).toEqual({ ...first, epoch: first.epoch + 1, sequenceNumber: 8 });
});

test('instances that lease at the same time never get one slot twice', async () => {
  await registerSlots(database.journal, Array.from({ length: 9 }, (_, keyIndex) => ({ address: FUNDER, keyIndex })));
  const leased = (await Promise.all(Array.from({ length: 20 }, (_, i) => lease(i % 2 === 0 ? ann : bob)))).filter((slot) => slot !== null);
  expect(new Set(leased.map((slot) => slot.keyIndex)).size).toBe(leased.length);
  while ((await lease(ann)) !== null);
  expect((await database.asOwner('select 1 from wallet_sync.slot where leased_by is null')).length).toBe(0);
});

test('a slot with a live transaction is leased to nobody, even when its lease has run out', async () => {
  await record(ann, (await lease(ann))!, await prepare(ann, 1));
  expect(await lease(bob)).toBe(null);
  await endLease();
  expect(await lease(bob)).toBe(null);
  expect(await lease(ann)).toBe(null);
  await stopInstance(database.journal, ann, {});
  expect(await lease(bob), 'given back by an instance that stopped in order').toBe(null);
});

test('a slot carries one live transaction, by constraint', async () => {
  const slot = (await lease(ann))!;
  await record(ann, slot, await prepare(ann, 1));
  await expect(record(ann, slot, await prepare(ann, 2))).rejects.toThrow(/transaction_one_live_per_slot/);
});

test('an expired lease is taken over with its transaction and a new epoch, and nothing the old owner settles changes a row', async () => {
  const accounts = await prepare(ann, 2);
  const old = await record(ann, (await lease(ann))!, accounts);
  expect(await takeOverTransactions(database.journal, bob, []), 'not while the owner holds it').toEqual([]);
  await endLease();
  const [taken, ...more] = await takeOverTransactions(database.journal, bob, []);
  expect(more).toEqual([]);
  expect(taken).toEqual({ ...old, slot: { ...old.slot, epoch: old.slot.epoch + 1 } });

  const snapshot = async () => [
    await database.asOwner('select * from wallet_sync.slot'),
    await database.asOwner('select * from wallet_sync.transaction'),
    await database.asOwner('select * from wallet_sync.member order by 2'),
    await database.asOwner('select * from wallet_sync.account order by id'),
  ];
  const before = await snapshot();
  const error = new AppError('computation', 'limit');
  expect(await seal(ann, old, accounts)).toBe(0);
  expect(await recordFailedCreation(database.journal, { instanceId: ann, transaction: old, sealedHeight: 110, error, fee: 1n, batchMax: null })).toBe(false);
  expect(await recordGivenUpCreation(database.journal, { instanceId: ann, transaction: old, error })).toBe(false);
  await releaseSlot(database.journal, ann, old.slot, 99);
  await heartbeat(database.journal, ann, {});
  expect(await snapshot()).toEqual(before);

  expect(await seal(bob, taken!, accounts)).toBe(2);
  expect(await readSlot()).toMatchObject({ leased_by: null, sequence_number: 8 });
});

test("a failure that is its funder's takes all its slots out of the rotation in the same commit as it frees its own: none of them is leased in between", async () => {
  const accounts = await prepare(ann, 2);
  const transaction = await record(ann, (await lease(ann))!, accounts);
  // Whoever wants a slot asks all the while; only the settling commit could let one through.
  let isSettled = false;
  const leased: unknown[] = [];
  const asking = (async () => {
    while (!isSettled) leased.push(await lease(bob));
  })();
  const error = new AppError('funds', 'empty');
  expect(await recordFailedCreation(database.journal, { instanceId: ann, transaction, sealedHeight: 110, error, fee: 1n, blamed: { reason: 'no FLOW left' }, batchMax: null })).toBe(true);
  isSettled = true;
  await asking;
  expect(leased.every((slot) => slot === null)).toBe(true);
  expect(await lease(bob)).toBeNull();
  expect(await database.asOwner('select leased_by, out_of_rotation from wallet_sync.slot')).toEqual([{ leased_by: null, out_of_rotation: 'no FLOW left' }]);
});

test('an expired lease is taken over by one of several instances', async () => {
  await record(ann, (await lease(ann))!, await prepare(ann, 1));
  await endLease();
  const takers = await Promise.all(Array.from({ length: 6 }, () => takeOverTransactions(database.journal, bob, [])));
  expect(takers.flat().length).toBe(1);
});

test('an owner whose lease has run out commits no transaction', async () => {
  const slot = (await lease(ann))!;
  const accounts = await prepare(ann, 1);
  await endLease();
  await expect(record(ann, slot, accounts)).rejects.toThrow(/leased to another/);
  await lease(bob);
  await expect(record(ann, slot, accounts)).rejects.toThrow(/leased to another/);
  expect(await database.asOwner('select state from wallet_sync.account')).toEqual([{ state: 'prepared' }]);
  expect(await database.asOwner('select 1 from wallet_sync.transaction')).toEqual([]);
});

test('committing a transaction renews its slot\'s lease, so that nobody who looked before it was takes the slot', async () => {
  const slot = (await lease(ann))!;
  await database.asOwner("update wallet_sync.slot set lease_until = clock_timestamp() + interval '5 s'");
  await record(ann, slot, await prepare(ann, 1));
  const [left] = await database.asOwner("select lease_until > clock_timestamp() + interval '5 s' as renewed from wallet_sync.slot");
  expect(left).toEqual({ renewed: true });
});

test('a sequence number that another may have used unseen is forgotten', async () => {
  await releaseSlot(database.journal, ann, (await lease(ann))!, 8);
  await lease(ann);
  await endLease();
  expect((await lease(bob))!.sequenceNumber).toBe(null);
});

test('only slots of the funders that an instance can sign for are leased, and none that is out of rotation', async () => {
  expect(await leaseSlot(database.journal, ann, ['0x00000000000000bb'])).toBe(null);
  await database.asOwner("update wallet_sync.slot set out_of_rotation = 'no funds'");
  expect(await lease(ann)).toBe(null);
});

test('prepared accounts of a dead instance are taken by another, keep their key and come before new ones', async () => {
  const accounts = await prepare(ann, 3);
  expect(await prepare(bob, 3), 'not while she lives').toEqual([]);
  await database.asOwner("update wallet_sync.instance set seen_at = clock_timestamp() - interval '11 s' where id = $1", [ann]);
  const taken = await prepare(bob, 5);
  expect(taken.length).toBe(5);
  expect(taken.slice(0, 3).sort((a, b) => a.id - b.id)).toEqual(accounts);
  await expect(record(ann, (await lease(ann))!, accounts), 'the dead one wakes up').rejects.toThrow(/taken by another/);
});

test('what a batch gives up is taken by whoever comes next: prepared accounts, and its slot, unless a transaction was recorded on it; other slots of the instance stay', async () => {
  await registerSlots(database.journal, [1, 2].map((keyIndex) => ({ address: FUNDER, keyIndex })));
  const recorded = (await lease(ann))!;
  await record(ann, recorded, await prepare(ann, 1));
  const slot = (await lease(ann))!;
  const other = (await lease(ann))!;
  const accounts = await prepare(ann, 3);
  await releaseUnused(database.journal, ann, { ...slot, epoch: slot.epoch - 1 });
  expect(await lease(bob), 'of an older epoch').toBeNull();
  await releaseUnused(database.journal, ann, recorded);
  await releaseUnused(database.journal, ann, slot);
  expect((await prepare(bob, 3)).sort((a, b) => a.id - b.id)).toEqual(accounts);
  expect(await lease(bob)).toMatchObject({ keyIndex: slot.keyIndex, sequenceNumber: null });
  expect(await database.asOwner('select key_index from wallet_sync.slot where leased_by = $1 order by 1', [ann])).toEqual([{ key_index: recorded.keyIndex }, { key_index: other.keyIndex }]);
});

test('instances that prepare at the same time never make more than the demand', async () => {
  const DEMAND = 40;
  const made = await Promise.all(
    Array.from({ length: 12 }, (_, i) => prepareAccounts(database.journal, { instanceId: i % 2 === 0 ? ann : bob, poolSize: DEMAND, maxAccounts: 7, decide: (demand) => demand.demand, room: () => Promise.resolve(Infinity), makeKeys })),
  );
  expect(made.flat().length).toBe(DEMAND);
  expect(await database.asOwner('select count(*)::int as accounts from wallet_sync.account')).toEqual([{ accounts: DEMAND }]);
  expect(await readDemand(database.journal, DEMAND)).toMatchObject({ waiting: 0, free: 0, beingMade: DEMAND, demand: 0 });
});

test('accounts of a transaction that is overdue are made again for those who wait', async () => {
  await record(ann, (await lease(ann))!, await prepare(ann, 4));
  expect((await readDemand(database.journal, 4)).demand).toBe(0);
  await database.asOwner("update wallet_sync.transaction set created_at = clock_timestamp() - interval '21 s'");
  expect((await readDemand(database.journal, 4)).demand).toBe(4);
});

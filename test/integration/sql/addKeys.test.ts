import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { giveUpSlots, readSlots, renewSlots, unsealedAddKeys } from '../../../src/journal/funders.js';
import { leaseSlot, registerSlots } from '../../../src/journal/slots.js';
import { takeOverTransactions } from '../../../src/journal/takeOver.js';
import { settleTransaction, type LiveTransaction, type TransactionKind } from '../../../src/journal/transactions.js';
import { startDatabase, type Database } from '../../support/database.js';
import { FUNDER, journalSteps, type JournalSteps } from '../../support/journalWorld.js';

const OTHER = '0x00000000000000bb';

let database: Database;
let ann: string;
let bob: string;
let steps: JournalSteps;
beforeAll(async () => void (database = await startDatabase()));
afterAll(() => database?.stop());
beforeEach(async () => {
  await database.clear();
  [ann, bob] = [await database.instance(), await database.instance()];
  steps = await journalSteps(database, 3);
  await registerSlots(database.journal, [0, 1, 2].map((keyIndex) => ({ address: OTHER, keyIndex })));
});

async function record(lessee: string, address: string, kind: TransactionKind = 'add-keys'): Promise<LiveTransaction> {
  const slot = (await leaseSlot(database.journal, lessee, [address]))!;
  return steps.recordOn(slot, lessee, kind, []);
}
const endLeases = () => database.asOwner("update wallet_sync.slot set lease_until = clock_timestamp() - interval '1 ms' where leased_by is not null");
const secondsLeft = async () => (await database.asOwner<{ s: number }>('select extract(epoch from lease_until - clock_timestamp())::float as s from wallet_sync.slot where leased_by is not null')).map((row) => row.s);

test('one transaction adds keys to a funder at a time, whoever records it, and the next one after its end', async () => {
  const first = await record(ann, FUNDER);
  expect(await unsealedAddKeys(database.journal, FUNDER)).toEqual({ id: first.id, body: '{}' });
  await expect(record(bob, FUNDER)).rejects.toMatchObject({ where: 'postgres 23505' });
  await record(bob, OTHER);
  await record(bob, FUNDER, 'create');
  await settleTransaction(database.journal, { instanceId: ann, transaction: first, sealedHeight: 110, error: null, fee: 1n, executionEffort: 1 }, () => Promise.resolve());
  expect(await unsealedAddKeys(database.journal, FUNDER)).toBe(null);
  await record(bob, FUNDER);
});

test('one that is asked for by its id is taken over, and no other', async () => {
  const mine = await record(ann, FUNDER);
  const other = await record(ann, OTHER);
  expect(await takeOverTransactions(database.journal, bob, [], mine.id)).toEqual([]);
  await endLeases();
  expect((await takeOverTransactions(database.journal, bob, [], mine.id)).map((taken) => taken.id)).toEqual([mine.id]);
  expect((await takeOverTransactions(database.journal, bob, [])).map((taken) => taken.id)).toEqual([other.id]);
});

test('a lease is renewed while it holds, never after; what is given up is taken over at once', async () => {
  const live = await record(ann, FUNDER);
  await database.asOwner("update wallet_sync.slot set lease_until = clock_timestamp() + interval '1 s' where leased_by is not null");
  await renewSlots(database.journal, bob);
  expect(Math.max(...(await secondsLeft()))).toBeLessThan(1.01);
  await renewSlots(database.journal, ann);
  expect(Math.min(...(await secondsLeft()))).toBeGreaterThan(5);
  await endLeases();
  await renewSlots(database.journal, ann);
  expect(Math.max(...(await secondsLeft()))).toBeLessThan(0);

  await database.asOwner("update wallet_sync.slot set lease_until = clock_timestamp() + interval '10 s' where leased_by is not null");
  await giveUpSlots(database.journal, ann);
  expect((await takeOverTransactions(database.journal, bob, [])).map((taken) => taken.id)).toEqual([live.id]);
});

test('a slot shows who leases it, what it carries and why it is out; a lease that has run out is none', async () => {
  const live = await record(ann, FUNDER);
  const command = (await database.asOwner<{ id: string }>('select gen_random_uuid() as id'))[0]!.id;
  await leaseSlot(database.journal, command, [FUNDER]);
  await database.asOwner("update wallet_sync.slot set out_of_rotation = 'low' where address = $1 and key_index = 2", [FUNDER]);
  const { host, pid } = (await database.asOwner<{ host: string; pid: number }>('select host, pid from wallet_sync.instance where id = $1', [ann]))[0]!;
  const seen = async () => (await readSlots(database.journal)).filter((slot) => slot.address === FUNDER);
  expect(await seen()).toMatchObject([
    { keyIndex: 0, lessee: `${host}:${pid}`, unsealed: { id: live.id, kind: 'add-keys' }, outOfRotation: null },
    { keyIndex: 1, lessee: command, unsealed: null, outOfRotation: null },
    { keyIndex: 2, lessee: null, unsealed: null, outOfRotation: 'low', usedAt: null },
  ]);
  await endLeases();
  expect((await seen()).map((slot) => slot.lessee)).toEqual([null, null, null]);
});

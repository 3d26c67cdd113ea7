import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { AppError } from '../../../src/errors.js';
import { recordGivenUpCreation, recordLateCreation } from '../../../src/journal/creations.js';
import { givenUpTransactions } from '../../../src/journal/givenUp.js';
import { hex, startDatabase, type Database } from '../../support/database.js';
import { journalSteps, type JournalSteps } from '../../support/journalWorld.js';

let database: Database;
let ann: string;
let steps: JournalSteps;

beforeAll(async () => void (database = await startDatabase()));
afterAll(() => database?.stop());
beforeEach(async () => {
  await database.clear();
  ann = await database.instance();
  steps = await journalSteps(database);
});

const states = async () => (await database.asOwner<{ state: string }>('select state::text from wallet_sync.account order by id')).map((row) => row.state);

test('accounts of a creation that was given up are never prepared again; one that seals after all makes them free, once', async () => {
  const accounts = await steps.prepare(ann, 2);
  const transaction = await steps.create(ann, accounts);
  await recordGivenUpCreation(database.journal, { instanceId: ann, transaction, error: new AppError('expired', 'no trace') });
  expect(await states()).toEqual(['expired', 'expired']);
  await expect(database.asOwner("update wallet_sync.account set state = 'prepared'")).rejects.toThrow(/cannot go from expired to prepared/);

  const [watched] = await givenUpTransactions(database.journal, 60_000, 10);
  expect(watched).toMatchObject({ id: transaction.id });
  const late = { transaction: watched!, created: accounts.map(({ publicKey }) => ({ publicKey, address: `0x${hex(8)}` })), sealedHeight: 700, fee: 1n };
  const twice = await Promise.all([recordLateCreation(database.journal, late), recordLateCreation(database.journal, late)]);
  expect(twice.sort()).toEqual([0, 2]);
  expect(await states()).toEqual(['free', 'free']);
  expect(await givenUpTransactions(database.journal, 60_000, 10)).toEqual([]);
});

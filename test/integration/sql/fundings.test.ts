import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { AppError } from '../../../src/errors.js';
import { recordSealedFunding, recordUnfunded } from '../../../src/journal/fundings.js';
import { startDatabase, type Database } from '../../support/database.js';
import { journalSteps, type JournalSteps } from '../../support/journalWorld.js';

const CREATED_AT = 110;

let database: Database;
let ann: string;
let steps: JournalSteps;
let wallet: { id: number; address: string };

beforeAll(async () => void (database = await startDatabase()));
afterAll(() => database?.stop());
beforeEach(async () => {
  await database.clear();
  ann = await database.instance();
  steps = await journalSteps(database);
  const accounts = await steps.prepare(ann, 1);
  await steps.seal(ann, await steps.create(ann, accounts), accounts, CREATED_AT);
  [wallet] = (await database.asOwner<{ id: number; address: string }>('select id::int, address from wallet_sync.account')) as [typeof wallet];
});

const fund = (balanceHeight: number) => steps.record(ann, 'fund', [{ accountId: wallet.id, balanceHeight }]);
const depositHeight = async () => (await database.asOwner<{ height: number }>('select deposit_height::int as height from wallet_sync.account'))[0]!.height;
const seal = (transaction: Awaited<ReturnType<typeof fund>>, sealedHeight: number, addresses = [wallet.address]) =>
  recordSealedFunding(database.journal, { instanceId: ann, transaction, sealedHeight, addresses, fee: 1n, executionEffort: 54 });

test('a funding that rests on a balance from before the creation\'s deposit is refused', async () => {
  await expect(fund(CREATED_AT - 1)).rejects.toMatchObject({ kind: 'data', message: expect.stringMatching(/deposit at 110 after its balance was read at 109/) });
  expect(await database.asOwner("select 1 from wallet_sync.transaction where kind = 'fund'")).toEqual([]);
  expect(await fund(CREATED_AT)).toMatchObject({ kind: 'fund' });
});

test('a funding that rests on a balance from before the last funding is refused, whoever asks', async () => {
  expect(await seal(await fund(120), 125)).toBe(1);
  const bob = await database.instance();
  await expect(steps.record(bob, 'fund', [{ accountId: wallet.id, balanceHeight: 124 }])).rejects.toMatchObject({ kind: 'data' });
  expect(await fund(125)).toMatchObject({ kind: 'fund' });
});

test('a wallet has one unsealed funding at a time', async () => {
  await fund(120);
  await expect(fund(121)).rejects.toThrow(/member_one_live_per_account/);
});

test('two instances that fund a wallet on the same balance at the same moment: one does', async () => {
  const bob = await database.instance();
  const both = await Promise.allSettled([fund(120), steps.record(bob, 'fund', [{ accountId: wallet.id, balanceHeight: 120 }])]);
  expect(both.map((each) => each.status).sort()).toEqual(['fulfilled', 'rejected']);
});

test('a sealed funding whose answer does not show the deposit is no reason to fund again on an old balance', async () => {
  expect(await seal(await fund(120), 125, [])).toBe(0);
  await expect(fund(124)).rejects.toMatchObject({ kind: 'data' });
});

test('a funding that failed leaves the wallet as it was; one given up makes older balances count no more', async () => {
  await recordUnfunded(database.journal, { instanceId: ann, transaction: await fund(120), sealedHeight: 125, error: new AppError('funds', 'empty'), fee: 1n, lastHeight: 125 });
  expect(await depositHeight()).toBe(CREATED_AT);
  await recordUnfunded(database.journal, { instanceId: ann, transaction: await fund(126), sealedHeight: null, error: new AppError('expired', 'gone'), fee: null, lastHeight: 727 });
  await expect(fund(726)).rejects.toMatchObject({ kind: 'data' });
});

test('only a free or assigned account is funded, a funding must name its balance, and nothing else may', async () => {
  await database.asOwner("update wallet_sync.account set state = 'set_aside'");
  await expect(fund(120)).rejects.toThrow(/neither free nor assigned/);
  await expect(steps.record(ann, 'fund', [{ accountId: wallet.id }])).rejects.toThrow(/names the height/);
});

test('a signed transaction never changes, and its end is final', async () => {
  const { id } = await fund(120);
  await expect(database.asOwner('update wallet_sync.transaction set body = $2 where id = $1', [id, 'other'])).rejects.toThrow(/signed and never changes/);
  await database.asOwner("update wallet_sync.transaction set state = 'sealed', settled_at = clock_timestamp() where id = $1", [id]);
  await expect(database.asOwner("update wallet_sync.transaction set state = 'live', settled_at = null where id = $1", [id])).rejects.toThrow(/cannot go from sealed to live/);
});

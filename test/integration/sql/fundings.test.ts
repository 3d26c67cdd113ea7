import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { AppError } from '../../../src/errors.js';
import { signUpMany } from '../../../dev/signUp.js';
import { openCycle } from '../../../src/journal/cycles.js';
import { recordSealedFunding, recordUnfunded } from '../../../src/journal/fundings.js';
import { leaseSpareSlot, registerSlots } from '../../../src/journal/slots.js';
import { takeOverTransactions } from '../../../src/journal/takeOver.js';
import { recordTransaction, type LiveTransaction } from '../../../src/journal/transactions.js';
import { hex, startDatabase, type Database } from '../../support/database.js';
import { FUNDER, journalSteps, type JournalSteps } from '../../support/journalWorld.js';

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
  recordSealedFunding(database.journal, { instanceId: ann, transaction, sealedHeight, deposits: addresses.map((address) => ({ address, amount: 10n })), fee: 1n, executionEffort: 54 });

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
  await expect(fund(121)).rejects.toMatchObject({ kind: 'data', where: 'postgres 23505', message: expect.stringMatching(/not sealed yet/) as string });
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

describe('its cycle counts', () => {
  let cycle: number;
  let all: { id: number; address: string }[];
  beforeEach(async () => {
    const accounts = await steps.prepare(ann, 5);
    await steps.seal(ann, await steps.create(ann, accounts), accounts, CREATED_AT);
    all = await database.asOwner<(typeof all)[number]>('select id::int, address from wallet_sync.account order by id');
    cycle = (await openCycle(database.journal, { instanceId: ann, reason: 'test', source: 'postgres', resumes: false })).id;
  });

  const fundAll = async (instanceId = ann): Promise<LiveTransaction> =>
    recordTransaction(database.journal, {
      instanceId, kind: 'fund', slot: await steps.slot(instanceId), cycle, transaction: { id: hex(32), body: '{}' }, sequenceNumber: 1, referenceHeight: 120, expiryBlocks: 600,
      members: all.map((each) => ({ accountId: each.id, balanceHeight: 120 })),
    });
  const counters = async () =>
    (await database.asOwner('select flow_funding_needed::int as needed, flow_funding_success::int as success, flow_funding_errors::int as errors, flow_spent::int as spent from wallet_sync.cycle where id = $1', [cycle]))[0];
  const sealAll = (instanceId: string, transaction: LiveTransaction, addresses: readonly string[]) =>
    recordSealedFunding(database.journal, { instanceId, transaction, sealedHeight: 125, deposits: addresses.map((address) => ({ address, amount: 10n })), fee: 3n, executionEffort: 54 });

  test('wallets, not deposits; what reached others than its members is none of its; who was passed over is an error', async () => {
    const transaction = await fundAll();
    expect(await counters()).toEqual({ needed: 5, success: 0, errors: 0, spent: 0 });
    const [first, second] = all as [(typeof all)[number], (typeof all)[number]];
    expect(await sealAll(ann, transaction, [first.address, second.address, second.address, FUNDER])).toBe(2);
    expect(await counters()).toEqual({ needed: 5, success: 2, errors: 3, spent: 33 });
  });

  test('all of its members as errors where it fails or is given up', async () => {
    await recordUnfunded(database.journal, { instanceId: ann, transaction: await fundAll(), sealedHeight: 125, error: new AppError('funds', 'empty'), fee: 2n, lastHeight: 125 });
    expect(await counters()).toEqual({ needed: 5, success: 0, errors: 5, spent: 2 });
    await recordUnfunded(database.journal, { instanceId: ann, transaction: await fundAll(), sealedHeight: null, error: new AppError('expired', 'gone'), fee: null, lastHeight: 727 });
    expect(await counters()).toEqual({ needed: 10, success: 0, errors: 10, spent: 2 });
  });

  test('once, whoever settles it: the instance that took it over, and when the cycle has ended', async () => {
    const old = await fundAll();
    const bob = await database.instance();
    await database.asOwner("update wallet_sync.slot set lease_until = clock_timestamp() - interval '1 ms' where leased_by is not null");
    const [taken] = await takeOverTransactions(database.journal, bob, []);
    await database.asOwner('update wallet_sync.cycle set ended_at = clock_timestamp()');
    const addresses = all.map((each) => each.address);
    const ends = await Promise.all([sealAll(ann, old, addresses), sealAll(bob, taken!, addresses), sealAll(bob, taken!, addresses)]);
    expect(ends.filter((end) => end !== null)).toEqual([5]);
    expect(await counters()).toEqual({ needed: 5, success: 5, errors: 0, spent: 53 });
  });

  test('none that was refused', async () => {
    all[0] = { ...all[0]!, id: 0 };
    await expect(fundAll()).rejects.toThrow();
    expect(await counters()).toEqual({ needed: 0, success: 0, errors: 0, spent: 0 });
  });
});

test('while users wait, a slot is spared only beyond those that they need: one for 25 of them', async () => {
  await database.asOwner("update wallet_sync.account set state = 'set_aside'");
  await database.asOwner('delete from wallet_sync.slot');
  await registerSlots(database.journal, [0, 1].map((keyIndex) => ({ address: FUNDER, keyIndex })));
  const lease = () => leaseSpareSlot(database.journal, ann, [FUNDER]);
  await signUpMany(database.auth, 26);
  expect(await lease(), '26 wait: both are needed').toBeNull();
  await database.asOwner('delete from public.wallet where id = (select max(id) from public.wallet)');
  expect(await lease(), '25 wait: one is needed').not.toBeNull();
  expect(await lease(), 'that one').toBeNull();
  await database.asOwner('delete from public.wallet');
  expect(await lease(), 'nobody waits').not.toBeNull();
});

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { signUp } from '../../../dev/signUp.js';
import { AppError } from '../../../src/errors.js';
import { assignAccounts } from '../../../src/journal/assignments.js';
import { openCycle } from '../../../src/journal/cycles.js';
import { readSlots } from '../../../src/journal/funders.js';
import { heartbeat, stopInstance } from '../../../src/journal/instances.js';
import { recordFailedRepair, recordSealedRepair } from '../../../src/journal/repairs.js';
import { readStatus } from '../../../src/journal/report.js';
import { anyOutOfRotation, drawPayer, keyIndexesOf, leaseSlot, leaseWalletSlot, releaseSlot, removeIdleWalletSlots, setRotation, type Slot } from '../../../src/journal/slots.js';
import { takeOverTransactions } from '../../../src/journal/takeOver.js';
import { recordTransaction, settleTransaction, type LiveTransaction, type TransactionRecord } from '../../../src/journal/transactions.js';
import { until } from '../../support/daemonWorld.js';
import { hex, startDatabase, type Database } from '../../support/database.js';
import { FUNDER, journalSteps, type JournalSteps } from '../../support/journalWorld.js';

interface Wallet {
  readonly id: number;
  readonly address: string;
  readonly authId: string;
}

let database: Database;
let ann: string;
let bob: string;
let steps: JournalSteps;
let wallets: Wallet[];

beforeAll(async () => void (database = await startDatabase()));
afterAll(() => database?.stop());
afterEach(() => database.disconnect());
beforeEach(async () => {
  await database.clear();
  [ann, bob] = [await database.instance(), await database.instance()];
  steps = await journalSteps(database, 3);
  await Promise.all([signUp(database.auth), signUp(database.auth)]);
  await makeAccounts();
  await assignAccounts(database.journal, { maxUsers: 2, via: 'poll', heard: {} });
  wallets = await readWallets();
});

/** For all who wait, and one free. */
async function makeAccounts(): Promise<void> {
  const accounts = await steps.prepare(ann, 1);
  await steps.seal(ann, await steps.create(ann, accounts), accounts);
}

const readWallets = () => database.asOwner<Wallet & Record<string, unknown>>(`select id::int, address, auth_id as "authId" from wallet_sync.account where state = 'assigned' order by id`);

const lease = async (instanceId: string, wallet = wallets[0]!): Promise<Slot | null> => leaseWalletSlot(database.journal, instanceId, { address: wallet.address, keyIndex: 0 });
const recordRepair = (instanceId: string, slot: Slot, more: Partial<TransactionRecord> = {}): Promise<LiveTransaction> =>
  recordTransaction(database.journal, {
    instanceId, kind: 'repair', slot, payer: { address: FUNDER, keyIndex: 1 }, transaction: { id: hex(32), body: '{}' }, sequenceNumber: 0, referenceHeight: 100, expiryBlocks: 600,
    members: [{ accountId: wallets[0]!.id }],
    ...more,
  });
const repair = async (instanceId: string, more: Partial<TransactionRecord> = {}): Promise<LiveTransaction> => recordRepair(instanceId, (await lease(instanceId))!, more);
const seal = (instanceId: string, transaction: LiveTransaction, fee: bigint | null = 5n) => recordSealedRepair(database.journal, { instanceId, transaction, sealedHeight: 120, fee, executionEffort: 30 });
const fail = (instanceId: string, transaction: LiveTransaction, sealedHeight: number | null = 120, more: { blamed?: { address: string; reason: string; keyIndex?: number } } = {}) =>
  recordFailedRepair(database.journal, { instanceId, transaction, sealedHeight, error: new AppError('chain-state', 'blocked'), fee: sealedHeight === null ? null : 7n, executionEffort: null, ...more });
const walletSlots = () => database.asOwner("select address, leased_by, epoch::int from wallet_sync.slot where role = 'wallet' order by address");
/** Moves every lease's end into the past, as time would. */
const endLeases = () => database.asOwner("update wallet_sync.slot set lease_until = clock_timestamp() - interval '1 ms' where leased_by is not null");
const counters = async (cycle: number) =>
  (await database.asOwner('select synced_wallets::int, vaults_created::int, flow_spent::int, flow_funding_needed::int, flow_funding_success::int, flow_funding_errors::int from wallet_sync.cycle where id = $1', [cycle]))[0];
const NOTHING = { synced_wallets: 0, vaults_created: 0, flow_spent: 0, flow_funding_needed: 0, flow_funding_success: 0, flow_funding_errors: 0 };

describe("a wallet's key as a slot", () => {
  test('is leased to one at a time, and gone when its repair has ended; the next one has a higher epoch', async () => {
    const slot = (await lease(ann))!;
    expect(slot).toMatchObject({ address: wallets[0]!.address, keyIndex: 0, sequenceNumber: null });
    expect(await lease(bob)).toBeNull();
    expect(await lease(ann), 'nor twice to one').toBeNull();
    expect(await lease(bob, wallets[1]), 'another wallet').not.toBeNull();
    const transaction = await recordRepair(ann, slot);
    expect(await lease(bob)).toBeNull();
    expect(await seal(ann, transaction)).toBe(true);
    expect(await walletSlots()).toMatchObject([{ address: wallets[1]!.address }]);
    expect((await lease(bob))!.epoch).toBeGreaterThan(slot.epoch);
  });

  test('of two that lease it at the same moment one does, over and over', async () => {
    for (let round = 0; round < 20; round += 1) {
      const leased = (await Promise.all([lease(ann), lease(bob), lease(ann), lease(bob), removeIdleWalletSlots(database.journal)])).slice(0, 4).filter((slot) => slot !== null) as Slot[];
      expect(leased.length).toBe(1);
      for (const id of [ann, bob]) await releaseSlot(database.journal, id, leased[0]!, null);
    }
  });

  test("is none of the funders': not leased, counted, listed or taken out of the rotation as one", async () => {
    await lease(ann);
    const { address } = wallets[0]!;
    await endLeases();
    expect(await leaseSlot(database.journal, bob, [address])).toBeNull();
    expect(await drawPayer(database.journal, [address])).toBeNull();
    expect(await keyIndexesOf(database.journal, address)).toEqual([]);
    expect(await setRotation(database.journal, address, 'no FLOW left')).toBe(0);
    expect(await anyOutOfRotation(database.journal, [address])).toBe(false);
    expect((await readSlots(database.journal)).map((slot) => slot.address)).toEqual([FUNDER, FUNDER, FUNDER]);
    expect(await readStatus(database.journal)).toMatchObject({ slots: 3, slots_free: 3 });
    expect(await leaseWalletSlot(database.journal, ann, { address: FUNDER, keyIndex: 0 }), "nor a funder's as a wallet's").toBeNull();
  });

  test('with a live repair is never removed, whoever leased it; one that nobody uses is', async () => {
    await repair(ann);
    await lease(bob, wallets[1]);
    await stopInstance(database.journal, ann, {});
    await endLeases();
    expect(await removeIdleWalletSlots(database.journal)).toBe(1);
    expect(await walletSlots()).toMatchObject([{ address: wallets[0]!.address, leased_by: null }]);
  });

  test('that somebody is about to use is passed over, without a wait', async () => {
    const slot = (await lease(ann))!;
    await endLeases();
    const other = await database.connect('wallet_sync_service');
    await other.query('begin');
    await other.query('select from wallet_sync.slot where address = $1 for update', [slot.address]);
    expect(await removeIdleWalletSlots(database.journal)).toBe(0);
    await other.query('rollback');
    expect(await removeIdleWalletSlots(database.journal)).toBe(1);
  });

  test('that is leased, used and left with a live repair between the look and the lock is not removed', async () => {
    await lease(ann);
    await endLeases();
    // The remover's first look reads the clock for each row, and is held there.
    const LOCK = 4711;
    const [{ definition }] = (await database.asOwner<{ definition: string }>("select pg_get_functiondef('wallet_sync.remove_idle_wallet_slots'::regproc) as definition")) as [{ definition: string }];
    await database.asOwner(
      `create function public.held_clock() returns timestamptz language plpgsql volatile as 'begin perform pg_advisory_xact_lock_shared(${LOCK}); return pg_catalog.clock_timestamp(); end'`,
    );
    try {
      await database.asOwner(definition.replaceAll('clock_timestamp()', 'public.held_clock()'));
      const holder = await database.connect('postgres');
      await holder.query('select pg_advisory_lock($1)', [LOCK]);
      const removed = removeIdleWalletSlots(database.journal);
      await until(10_000, async () => (await database.asOwner("select 1 from pg_locks where locktype = 'advisory' and objid = $1 and not granted", [LOCK])).length === 1);
      const live = await repair(bob);
      await stopInstance(database.journal, bob, {});
      await holder.query('select pg_advisory_unlock($1)', [LOCK]);
      expect(await removed).toBe(0);
      expect(await takeOverTransactions(database.journal, ann, [])).toMatchObject([{ id: live.id }]);
    } finally {
      await database.asOwner(definition);
      await database.asOwner('drop function public.held_clock()');
    }
  });

  test('whose lease no transaction followed for half a minute is leased again by its own instance, and by no other while that lives', async () => {
    const lost = (await lease(ann))!;
    const funders = (await steps.slot(ann));
    await database.asOwner("update wallet_sync.slot set used_at = clock_timestamp() - interval '29 s' where leased_by is not null");
    expect(await lease(ann)).toBeNull();
    await database.asOwner("update wallet_sync.slot set used_at = clock_timestamp() - interval '31 s' where leased_by is not null");
    expect(await lease(bob)).toBeNull();
    expect((await lease(ann))!.epoch).toBeGreaterThan(lost.epoch);
    await expect(recordRepair(ann, lost), 'the older one wakes up').rejects.toThrow(/leased to another/);
    await database.asOwner('update wallet_sync.slot set out_of_rotation = $1 where address = $2 and key_index <> $3', ['x', FUNDER, funders.keyIndex]);
    expect(await leaseSlot(database.journal, bob, [FUNDER])).toBeNull();
    expect(await leaseSlot(database.journal, ann, [FUNDER])).toMatchObject({ keyIndex: funders.keyIndex, epoch: funders.epoch + 1 });
  });
});

describe('a repair', () => {
  test('is taken over with its slot under a new epoch, with its payer and cycle, and nothing that its old owner writes changes a row', async () => {
    const cycle = (await openCycle(database.journal, { instanceId: ann, reason: 'test', source: 'postgres', resumes: false })).id;
    const old = await repair(ann, { cycle });
    expect(await takeOverTransactions(database.journal, bob, [])).toEqual([]);
    await endLeases();
    const [taken, ...more] = await takeOverTransactions(database.journal, bob, []);
    expect(more).toEqual([]);
    expect(taken).toEqual({ ...old, slot: { ...old.slot, epoch: old.slot.epoch + 1 } });
    expect(taken).toMatchObject({ payer: { address: FUNDER, keyIndex: 1 }, cycle });

    expect(await seal(ann, old)).toBe(false);
    expect(await fail(ann, old)).toBe(false);
    await heartbeat(database.journal, ann, {});
    await releaseSlot(database.journal, ann, old.slot, 5);
    expect(await counters(cycle)).toEqual(NOTHING);
    expect(await walletSlots()).toMatchObject([{ leased_by: bob, epoch: old.slot.epoch + 1 }]);

    expect(await seal(bob, taken!)).toBe(true);
    expect(await counters(cycle)).toEqual({ ...NOTHING, synced_wallets: 1, flow_spent: 5 });
    expect(await seal(bob, taken!)).toBe(false);
    expect(await counters(cycle)).toEqual({ ...NOTHING, synced_wallets: 1, flow_spent: 5 });
  });

  test('has one member, whose account is assigned and whose user is not gone', async () => {
    const members = wallets.map((wallet) => ({ accountId: wallet.id }));
    await expect(repair(ann, { members })).rejects.toThrow(/one member/);
    await releaseAll();
    const [free] = await database.asOwner<{ id: number }>("select id::int from wallet_sync.account where state = 'free'");
    await expect(repair(ann, { members: [{ accountId: free!.id }] })).rejects.toThrow(/not assigned/);
    await releaseAll();
    await database.asOwner("insert into wallet_sync.user_state (auth_id, state, reason) values ($1, 'orphaned', 'deleted')", [wallets[0]!.authId]);
    await expect(repair(ann)).rejects.toMatchObject({ kind: 'data', where: 'postgres WS010', message: expect.stringMatching(/is gone/) as string, mend: expect.any(String) as string });
    await expect(steps.record(ann, 'fund', [{ accountId: wallets[0]!.id, balanceHeight: 500 }])).rejects.toMatchObject({ kind: 'data', where: 'postgres WS010' });
    expect(await steps.record(ann, 'fund', [{ accountId: wallets[1]!.id, balanceHeight: 500 }])).toMatchObject({ kind: 'fund', payer: null, cycle: null });
    expect(await database.asOwner("select 1 from wallet_sync.transaction where kind = 'repair'")).toEqual([]);
  });

  test('names no balance, and while it is unsealed the wallet is in no other transaction, in plain words', async () => {
    await expect(repair(ann, { members: [{ accountId: wallets[0]!.id, balanceHeight: 500 }] })).rejects.toThrow(/names the height/);
    await releaseAll();
    await repair(ann);
    await expect(steps.record(ann, 'fund', [{ accountId: wallets[0]!.id, balanceHeight: 500 }])).rejects.toMatchObject({ kind: 'data', message: 'an account is a member of a transaction that is not sealed yet' });
  });

  test('keeps who pays for ever', async () => {
    const { id } = await repair(ann);
    await expect(database.asOwner('update wallet_sync.transaction set payer_key_index = 2 where id = $1', [id])).rejects.toThrow(/signed and never changes/);
    await expect(database.asOwner('update wallet_sync.transaction set payer_address = null, payer_key_index = null where id = $1', [id])).rejects.toThrow(/signed and never changes/);
  });

  test("that its payer made fail takes the payer's keys out of the rotation, one or all, and never the wallet's", async () => {
    await fail(ann, await repair(ann), 120, { blamed: { address: FUNDER, reason: 'not valid', keyIndex: 1 } });
    const out = () => database.asOwner('select address, key_index from wallet_sync.slot where out_of_rotation is not null order by 2');
    expect(await out()).toEqual([{ address: FUNDER, key_index: 1 }]);
    for (let draws = 0; draws < 20; draws += 1) expect((await drawPayer(database.journal, [FUNDER]))!.keyIndex).not.toBe(1);
    await fail(ann, await repair(ann), 120, { blamed: { address: FUNDER, reason: 'no FLOW left' } });
    expect(await out()).toHaveLength(3);
    expect(await drawPayer(database.journal, [FUNDER])).toBeNull();
    expect(await walletSlots()).toEqual([]);
  });

  const releaseAll = async () => {
    await endLeases();
    await removeIdleWalletSlots(database.journal);
  };
});

describe('its cycle counts', () => {
  test.each<[string, Partial<TransactionRecord['members'][number]>, (transaction: LiveTransaction) => Promise<unknown>, object]>([
    ['a sealed one that makes a vault', { makesVault: true }, (t) => seal(ann, t), { synced_wallets: 1, vaults_created: 1, flow_spent: 5 }],
    ['a sealed one that only publishes', {}, (t) => seal(ann, t), { synced_wallets: 1, flow_spent: 5 }],
    ['a sealed one without a fee', {}, (t) => seal(ann, t, null), { synced_wallets: 1 }],
    ['a failed one', { makesVault: true }, (t) => fail(ann, t), { flow_spent: 7 }],
    ['one that was given up', { makesVault: true }, (t) => fail(ann, t, null), {}],
  ])('%s', async (_, member, end, expected) => {
    const cycle = (await openCycle(database.journal, { instanceId: ann, reason: 'test', source: 'postgres', resumes: false })).id;
    const transaction = await repair(ann, { cycle, members: [{ accountId: wallets[0]!.id, ...member }] });
    expect(await counters(cycle)).toEqual(NOTHING);
    await end(transaction);
    expect(await counters(cycle)).toEqual({ ...NOTHING, ...expected });
  });

  test('also once it has ended; and where it is gone, or there was none, the end is recorded all the same', async () => {
    const cycle = (await openCycle(database.journal, { instanceId: ann, reason: 'test', source: 'postgres', resumes: false })).id;
    const transaction = await repair(ann, { cycle });
    await database.asOwner('update wallet_sync.cycle set ended_at = clock_timestamp()');
    await seal(ann, transaction);
    expect(await counters(cycle)).toMatchObject({ synced_wallets: 1 });
    const orphan = await repair(ann, { cycle });
    await database.asOwner('delete from wallet_sync.cycle');
    expect(await seal(ann, orphan)).toBe(true);
    expect(await seal(ann, await repair(ann))).toBe(true);
    expect(await database.asOwner("select 1 from wallet_sync.transaction where state = 'sealed' and kind = 'repair' and cycle is null")).toHaveLength(3);
  });

  test('exactly what many that end at the same time add', async () => {
    const cycle = (await openCycle(database.journal, { instanceId: ann, reason: 'test', source: 'postgres', resumes: false })).id;
    await Promise.all(Array.from({ length: 10 }, () => signUp(database.auth)));
    await makeAccounts();
    await assignAccounts(database.journal, { maxUsers: 20, via: 'poll', heard: {} });
    const all = await readWallets();
    expect(all.length).toBe(12);
    const live = await Promise.all(all.map(async (wallet) => recordRepair(ann, (await lease(ann, wallet))!, { cycle, members: [{ accountId: wallet.id, makesVault: wallet.id % 2 === 0 }] })));
    const ends = await Promise.all(live.flatMap((transaction, i) => (i < 8 ? [seal(ann, transaction), seal(ann, transaction)] : [fail(ann, transaction), fail(ann, transaction)])));
    expect(ends.filter(Boolean)).toHaveLength(live.length);
    expect(await counters(cycle)).toEqual({ ...NOTHING, synced_wallets: 8, vaults_created: all.slice(0, 8).filter((wallet) => wallet.id % 2 === 0).length, flow_spent: 8 * 5 + (all.length - 8) * 7 });
    expect(await walletSlots()).toEqual([]);
  });
});

describe("where an application's transaction holds the account", () => {
  const hold = async () => {
    const application = await database.connect('postgres');
    await application.query('begin');
    await application.query('select from wallet_sync.account where id = $1 for update', [wallets[0]!.id]);
    return application;
  };

  test('recording a repair or a funding gives up with `network`, and leaves nothing', async () => {
    const application = await hold();
    await expect(repair(ann)).rejects.toMatchObject({ kind: 'network', where: 'postgres 55P03' });
    await expect(steps.record(ann, 'fund', [{ accountId: wallets[0]!.id, balanceHeight: 500 }])).rejects.toMatchObject({ kind: 'network', where: 'postgres 55P03' });
    await application.query('rollback');
    expect(await database.asOwner("select 1 from wallet_sync.transaction where kind <> 'create'")).toEqual([]);
  });

  test('the end of a repair is recorded without it', async () => {
    const transaction = await repair(ann);
    const application = await hold();
    expect(await seal(ann, transaction)).toBe(true);
    await application.query('rollback');
  });

  test('a settling that needs it is refused whole, and succeeds when it is tried again', async () => {
    const transaction = await steps.record(ann, 'fund', [{ accountId: wallets[0]!.id, balanceHeight: 500 }]);
    const application = await hold();
    const settleOnce = () =>
      settleTransaction(database.journal, { instanceId: ann, transaction, sealedHeight: 510, error: null, fee: 1n, executionEffort: 1 }, (db) =>
        db.query('update wallet_sync.account set deposit_height = 510 where id = $1', [wallets[0]!.id]),
      );
    await expect(settleOnce()).rejects.toMatchObject({ kind: 'network', where: 'postgres 55P03' });
    expect(await database.asOwner('select state::text from wallet_sync.transaction where id = $1', [transaction.id])).toEqual([{ state: 'live' }]);
    await application.query('rollback');
    expect(await settleOnce()).not.toBeNull();
  });
});

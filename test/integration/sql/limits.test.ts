import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { signUpMany } from '../../../dev/signUp.js';
import { fundingsThatFit, membersThatFit } from '../../../src/handlers/limits.js';
import { saveBalances } from '../../../src/journal/balances.js';
import { recordFailedCreation, recordGivenUpCreation, recordSealedCreation } from '../../../src/journal/creations.js';
import { prepareAccounts } from '../../../src/journal/demand.js';
import { recordSealedFunding, recordUnfunded } from '../../../src/journal/fundings.js';
import { differingLimits, offerLimits, readCosts, readLimits, readStanding, walletsAtLimit, writeLimits, type Limits, type Standing } from '../../../src/journal/limits.js';
import { isPolicyKept, registerPolicy } from '../../../src/journal/policy.js';
import { isFunderAtFloor, isLimitReached, isRefusedMember, isWalletAtLimit } from '../../../src/journal/sqlErrors.js';
import type { LiveTransaction } from '../../../src/journal/transactions.js';
import { AppError } from '../../../src/errors.js';
import { createLog } from '../../../src/log.js';
import { makeKeys } from '../../support/accounts.js';
import { until } from '../../support/daemonWorld.js';
import { hex, startDatabase, type Database } from '../../support/database.js';
import { createRandom } from '../../support/random.js';
import { FUNDER, journalSteps, type JournalSteps } from '../../support/journalWorld.js';

const FLOW = 100_000_000n;
const AMOUNT = 10_000_000n;
const FEE = 5_000n;
/** What a transaction reserves for its fee, and an account costs beside its amount. */
const FEE_BOUND = 41_000_000n;
const ACCOUNT = 100_000n;
const NONE: Limits = { shortWindowS: 3_600, longWindowS: 86_400, flowShort: null, flowLong: null, accountsShort: null, walletFundingsLong: null, walletFundingsEver: null, funderFloor: 0n, accountAmount: AMOUNT };

let database: Database;
let ann: string;
let bob: string;
let steps: JournalSteps;

beforeAll(async () => void (database = await startDatabase()));
afterAll(() => database?.stop());
beforeEach(async () => {
  await database.clear();
  ann = await database.instance();
  bob = await database.instance();
  steps = await journalSteps(database, 40);
});

const limit = (changes: Partial<Limits>) => writeLimits(database.journal, { ...NONE, ...changes });
const prepare = (instanceId: string, count: number) => prepareAccounts(database.journal, { instanceId, poolSize: 10_000, maxAccounts: count, decide: () => count, room: () => Promise.resolve(Infinity), makeKeys });
/** A creation of so many accounts, recorded as the daemon does. */
const create = async (instanceId: string, count: number): Promise<{ transaction: LiveTransaction; keys: string[] }> => {
  const accounts = await prepare(instanceId, count);
  return { transaction: await steps.record(instanceId, 'create', accounts.map(({ id }) => ({ accountId: id, amount: AMOUNT }))), keys: accounts.map(({ publicKey }) => publicKey) };
};
const seal = ({ transaction, keys }: Awaited<ReturnType<typeof create>>, instanceId = ann) =>
  recordSealedCreation(database.journal, { instanceId, transaction, sealedHeight: 110, fee: FEE, executionEffort: 1, created: keys.map((publicKey) => ({ publicKey, address: `0x${hex(8)}` })) });
const standing = async (name: Standing['name']): Promise<Standing> => (await readStanding(database.journal)).find((each) => each.name === name)!;
/** Everything that settled, so many seconds ago. */
const agePast = (seconds: number) => database.asOwner('update wallet_sync.spending set starts_at = starts_at - make_interval(secs => $1), ends_at = ends_at - make_interval(secs => $1)', [seconds]);
const refusal = (promise: Promise<unknown>): Promise<AppError> =>
  promise.then(
    () => Promise.reject(new Error('it was let in')),
    (error: unknown) => (error instanceof AppError ? error : Promise.reject(error as Error)),
  );

test('the limits are one row for all instances: what is written is read, and nothing before', async () => {
  await database.asOwner('update wallet_sync.spending_limit set set_at = null');
  expect(await readLimits(database.journal)).toBeNull();
  const limits: Limits = { shortWindowS: 10, longWindowS: 20.5, flowShort: 5n * FLOW, flowLong: 99_999_999_999_999_999n, accountsShort: 3, walletFundingsLong: 0, walletFundingsEver: null, funderFloor: 1n, accountAmount: 5n };
  await writeLimits(database.journal, limits);
  expect(await readLimits(database.journal)).toEqual(limits);
});

test('a policy is kept while each limit stands as it was registered; what an account is sent is none of them', async () => {
  const limits: Limits = { shortWindowS: 10, longWindowS: 20.5, flowShort: 5n * FLOW, flowLong: 99_999_999_999_999_999n, accountsShort: 3, walletFundingsLong: 0, walletFundingsEver: null, funderFloor: 1n, accountAmount: 5n };
  const policy = { provision: 'all', assign: 'daemon' } as const;
  const isKept = (changes: Partial<Limits> = {}) => isPolicyKept(database.journal, { ...policy, limits: { ...limits, ...changes } });
  await registerPolicy(database.journal, { ...policy, limits, instanceId: ann, statistics: {}, lowWater: 1, log: createLog({ level: 'silent', pretty: false }) });
  expect(await isKept()).toBe(true);
  expect(await isKept({ accountAmount: AMOUNT })).toBe(true);
  const others: Partial<Limits>[] = [{ shortWindowS: 11 }, { longWindowS: 20 }, { flowShort: null }, { flowLong: 1n }, { accountsShort: 4 }, { walletFundingsLong: null }, { walletFundingsEver: 1 }, { funderFloor: 0n }];
  for (const other of others) expect.soft(await isKept(other), Object.keys(other).join()).toBe(false);
  await database.asOwner('update wallet_sync.spending_limit set set_at = null');
  expect(await isKept(), 'made anew').toBe(false);
});

test('a command that sends before any daemon has started registers its limits, and never over others', async () => {
  await database.asOwner('update wallet_sync.spending_limit set set_at = null');
  await offerLimits(database.journal, { ...NONE, accountsShort: 7 });
  expect(await readLimits(database.journal)).toEqual({ ...NONE, accountsShort: 7 });
  await offerLimits(database.journal, { ...NONE, accountsShort: 8 });
  expect((await readLimits(database.journal))?.accountsShort).toBe(7);
});

test('who shows the limits knows what an account is sent: room is told for that, and instances may differ in it', async () => {
  const limits: Limits = { ...NONE, flowShort: FEE_BOUND + FLOW, accountAmount: FLOW };
  await writeLimits(database.journal, limits);
  expect(await standing('flow_short'), 'an account of 1 FLOW and its cost do not fit').toMatchObject({ used: 0n, roomInS: null });
  await writeLimits(database.journal, { ...limits, flowShort: FEE_BOUND + FLOW + ACCOUNT });
  expect(await standing('flow_short')).toMatchObject({ used: 0n, roomInS: 0 });
  expect(differingLimits(limits, { ...limits, accountAmount: AMOUNT })).toEqual([]);
});

describe('what counts against the limits of all', () => {
  test('a limit of FLOW is used to its last 10^-8: what fits exactly is let in, what is that much over is not', async () => {
    const spent = 2n * (AMOUNT + ACCOUNT) + FEE;
    const next = 3n * (AMOUNT + ACCOUNT) + FEE_BOUND;
    await limit({ flowShort: spent + next - 1n });
    await seal(await create(ann, 2));
    expect(isLimitReached(await refusal(create(ann, 3)))).toBe(true);
    await limit({ flowShort: spent + next });
    await create(bob, 3);
    expect(await standing('flow_short')).toMatchObject({ most: spent + next, used: spent + next });
  });

  test('what failed without ever being executed costs nothing; where only the fee is not known it counts in full', async () => {
    await limit({ flowShort: 100n * FLOW });
    for (const [kind, used] of [['sequence', 0n], ['data', 0n], ['funds', FEE_BOUND]] as const) {
      const { transaction } = await create(ann, 1);
      await recordFailedCreation(database.journal, { instanceId: ann, transaction, sealedHeight: 120, error: new AppError(kind, 'x'), fee: null, batchMax: null, blamed: null });
      expect(await standing('flow_short'), kind).toMatchObject({ used });
    }
  });

  test('an account that cost more than is reserved for it counts with what it did cost', async () => {
    await limit({ flowShort: 100n * FLOW });
    const made = await create(ann, 2);
    await recordSealedCreation(database.journal, {
      instanceId: ann, transaction: made.transaction, sealedHeight: 110, fee: FEE, executionEffort: 1, withdrawn: 2n * (AMOUNT + 5n * ACCOUNT) + FEE,
      created: made.keys.map((publicKey) => ({ publicKey, address: `0x${hex(8)}` })),
    });
    expect(await standing('flow_short')).toMatchObject({ used: 2n * (AMOUNT + 5n * ACCOUNT) + FEE });
  });

  test('where a member\'s amount is not known, an account\'s cost is not made up', async () => {
    const made = await create(ann, 2);
    await database.asOwner('update wallet_sync.member set amount = null where account_id = (select min(account_id) from wallet_sync.member)');
    await recordSealedCreation(database.journal, {
      instanceId: ann, transaction: made.transaction, sealedHeight: 110, fee: FEE, executionEffort: 1, withdrawn: 2n * (AMOUNT + ACCOUNT) + FEE,
      created: made.keys.map((publicKey) => ({ publicKey, address: `0x${hex(8)}` })),
    });
    expect(await database.asOwner("select account_cost::text from wallet_sync.transaction where kind = 'create'")).toEqual([{ account_cost: null }]);
  });

  test('an unsealed creation counts with its amounts, its accounts and the highest fee; sealed, with what it did cost; failed, with its fee and no account', async () => {
    await limit({ flowShort: 100n * FLOW, accountsShort: 100 });
    const first = await create(ann, 3);
    expect(await standing('flow_short')).toMatchObject({ used: 3n * (AMOUNT + ACCOUNT) + FEE_BOUND, roomInS: 0 });
    expect(await standing('accounts_short')).toMatchObject({ used: 3n });
    await seal(first);
    expect(await standing('flow_short')).toMatchObject({ used: 3n * (AMOUNT + ACCOUNT) + FEE });
    const second = await create(ann, 2);
    await recordFailedCreation(database.journal, { instanceId: ann, transaction: second.transaction, sealedHeight: 120, error: new AppError('funds', 'x'), fee: 7n, batchMax: null, blamed: null });
    expect(await standing('flow_short')).toMatchObject({ used: 3n * (AMOUNT + ACCOUNT) + FEE + 7n });
    expect(await standing('accounts_short')).toMatchObject({ used: 3n });
    const third = await create(ann, 1);
    await recordGivenUpCreation(database.journal, { instanceId: ann, transaction: third.transaction, error: new AppError('expired', 'x') });
    expect(await standing('flow_short'), 'given up, it may seal after all').toMatchObject({ used: 4n * (AMOUNT + ACCOUNT) + FEE + 7n + FEE_BOUND });
    expect(await database.asOwner('select * from wallet_sync.reservation')).toEqual([]);
  });

  test('a repair and added keys count with their fee', async () => {
    await limit({ flowShort: FLOW });
    await steps.record(ann, 'add-keys', []);
    expect(await standing('flow_short')).toMatchObject({ used: FEE_BOUND });
    const error = await refusal((async () => (await steps.record(ann, 'create', []), await steps.record(ann, 'create', [])))());
    expect(isLimitReached(error)).toBe(true);
  });

  test('the window rolls: what settled counts for its whole length and then no more, and when there is room is told to the second', async () => {
    await limit({ shortWindowS: 100, longWindowS: 100, accountsShort: 5 });
    await seal(await create(ann, 3));
    await agePast(60);
    await seal(await create(ann, 2));
    expect(isLimitReached(await refusal(create(ann, 1)))).toBe(true);
    const { roomInS } = await standing('accounts_short');
    expect(roomInS).toBeGreaterThan(35);
    expect(roomInS).toBeLessThanOrEqual(42);
    await agePast(39);
    // The moment of the first ones' end is inside the window still.
    expect((await standing('accounts_short')).used).toBe(5n);
    await agePast(3);
    expect(await standing('accounts_short')).toMatchObject({ used: 2n, roomInS: 0 });
    expect(isLimitReached(await refusal(create(ann, 4)))).toBe(true);
    await create(ann, 3);
  });

  test('where only unsealed transactions use the limit, when there is room is not known', async () => {
    await limit({ accountsShort: 2 });
    await create(ann, 2);
    expect(await standing('accounts_short')).toMatchObject({ most: 2n, used: 2n, roomInS: null });
  });

  test('the longer window has a limit of its own', async () => {
    await limit({ shortWindowS: 10, longWindowS: 1_000, flowShort: 10n * FLOW, flowLong: FLOW });
    await seal(await create(ann, 5));
    await agePast(100);
    expect(await standing('flow_short')).toMatchObject({ used: 0n });
    expect(isLimitReached(await refusal(create(ann, 5)))).toBe(true);
    await agePast(1_000);
    await create(ann, 5);
  });

  test('off is no limit, and what was spent meanwhile counts when one is set', async () => {
    await limit({});
    await seal(await create(ann, 25));
    await limit({ accountsShort: 30 });
    expect(await standing('accounts_short')).toMatchObject({ most: 30n, used: 25n });
  });

  test('a transaction that does not fit leaves nothing: neither itself, nor members, nor a changed account', async () => {
    await limit({ accountsShort: 1 });
    await refusal(create(ann, 2));
    expect(await database.asOwner('select from wallet_sync.transaction')).toEqual([]);
    expect(await database.asOwner('select from wallet_sync.member')).toEqual([]);
    expect(await database.asOwner('select distinct state::text from wallet_sync.account')).toEqual([{ state: 'prepared' }]);
  });
});

test('two instances at the limit at the same moment: together they spend what is left, and no more', async () => {
  await limit({ accountsShort: 3 });
  const [first, second] = [await prepare(ann, 2), await prepare(bob, 2)];
  const record = (id: string, accounts: typeof first) => steps.record(id, 'create', accounts.map((account) => ({ accountId: account.id, amount: AMOUNT })));
  const both = await Promise.allSettled([record(ann, first), record(bob, second)]);
  expect(both.map((each) => each.status).sort()).toEqual(['fulfilled', 'rejected']);
  expect(await standing('accounts_short')).toMatchObject({ used: 2n });
});

test('batches are cut to what the window has left, counting what others have prepared: no key pair is made that must wait', async () => {
  await limit({ accountsShort: 30 });
  await create(ann, 10);
  const room = async (db: Parameters<typeof readStanding>[0]) => membersThatFit(await readStanding(db), true, AMOUNT + ACCOUNT, await readCosts(db));
  const both = await Promise.all([ann, bob].map((instanceId) => prepareAccounts(database.journal, { instanceId, poolSize: 1_000, maxAccounts: 25, decide: () => 25, room, makeKeys })));
  expect(both.map((accounts) => accounts.length).sort((a, b) => a - b)).toEqual([0, 20]);
});

test('any instances, amounts and ends at random never exceed any limit, and all that fits is let in', async () => {
  const seed = 20_261_127;
  const random = createRandom(seed);
  const most = { flow: 30n * FLOW, accounts: 200 };
  await limit({ shortWindowS: 50, longWindowS: 50, flowShort: most.flow, accountsShort: most.accounts });
  let letIn = 0;
  const worker = async (instanceId: string): Promise<void> => {
    for (let i = 0; i < 12; i++) {
      const made = await create(instanceId, 1 + Math.floor(random() * 25)).catch((error: unknown) => {
        if (error instanceof AppError && isLimitReached(error)) return null;
        throw error;
      });
      const [flow, accounts] = [await standing('flow_short'), await standing('accounts_short')];
      expect(flow.used <= most.flow && accounts.used <= BigInt(most.accounts), `seed ${seed}: ${flow.used} FLOW, ${accounts.used} accounts`).toBe(true);
      if (made === null) continue;
      letIn += made.keys.length;
      const end = random();
      if (end < 0.5) await seal(made, instanceId);
      else if (end < 0.7) await recordFailedCreation(database.journal, { instanceId, transaction: made.transaction, sealedHeight: 1, error: new AppError('funds', 'x'), fee: FEE, batchMax: null, blamed: null });
    }
  };
  await Promise.all([ann, bob, await database.instance()].map(worker));
  expect(letIn, `seed ${seed}`).toBeGreaterThan(100);
});

describe('a wallet\'s own limits', () => {
  let wallet: { id: number; address: string };
  let height = 200;
  beforeEach(async () => {
    await limit({});
    await seal(await create(ann, 1));
    [wallet] = (await database.asOwner<{ id: number; address: string }>('select id::int, address from wallet_sync.account')) as [typeof wallet];
  });

  const fund = (instanceId = ann) => steps.record(instanceId, 'fund', [{ accountId: wallet.id, balanceHeight: (height += 10), amount: AMOUNT }]);
  const sealFunding = async (transaction: LiveTransaction) =>
    recordSealedFunding(database.journal, { instanceId: ann, transaction, sealedHeight: height, deposits: [{ address: wallet.address, amount: AMOUNT }], fee: FEE, executionEffort: 1 });
  const ageFundings = (seconds: number) => database.asOwner("update wallet_sync.transaction set settled_at = settled_at - make_interval(secs => $1) where kind = 'fund'", [seconds]);

  test('within the window it is funded so often and no more; then again', async () => {
    await limit({ longWindowS: 1_000, walletFundingsLong: 2 });
    await sealFunding(await fund());
    await ageFundings(600);
    await sealFunding(await fund());
    const error = await refusal(fund());
    expect([isWalletAtLimit(error), isRefusedMember(error)]).toEqual([true, true]);
    expect(await walletsAtLimit(database.journal, [wallet.id])).toEqual(new Map([[wallet.id, { ever: false }]]));
    await ageFundings(401);
    expect(await walletsAtLimit(database.journal, [wallet.id])).toEqual(new Map());
    await sealFunding(await fund());
  });

  test('in its life it is funded so often and never again: who empties it every cycle is not refilled for ever', async () => {
    await limit({ walletFundingsEver: 3 });
    for (let i = 0; i < 3; i++) await sealFunding(await fund());
    await ageFundings(10_000_000);
    expect(isWalletAtLimit(await refusal(fund()))).toBe(true);
    expect(await walletsAtLimit(database.journal, [wallet.id])).toEqual(new Map([[wallet.id, { ever: true }]]));
  });

  test('an unsealed funding counts, a failed one does not, and the creation\'s own deposit neither', async () => {
    await limit({ walletFundingsEver: 1 });
    const unsealed = await fund();
    expect((await walletsAtLimit(database.journal, [wallet.id])).size).toBe(1);
    await recordUnfunded(database.journal, { instanceId: ann, transaction: unsealed, sealedHeight: height, error: new AppError('funds', 'x'), fee: FEE, lastHeight: height });
    expect((await walletsAtLimit(database.journal, [wallet.id])).size).toBe(0);
    await fund();
  });

  test('0 funds none', async () => {
    await limit({ walletFundingsLong: 0 });
    expect(isWalletAtLimit(await refusal(fund()))).toBe(true);
  });

  test('a funding for more wallets than the window has FLOW for is cut to what fits', async () => {
    await limit({ flowShort: FEE_BOUND + 7n * AMOUNT });
    expect(await fundingsThatFit(database.journal, AMOUNT)).toBe(5);
  });

  test('a sign-up is not touched by any limit', async () => {
    await limit({ flowShort: 0n, accountsShort: 0 });
    await signUpMany(database.auth, 20);
    expect(await database.asOwner('select count(*)::int as waiting from wallet_sync.waiting')).toEqual([{ waiting: 20 }]);
  });
});

describe('the floor of funders', () => {
  const balance = (flow: bigint, readMs = 0) => saveBalances(database.journal, [{ address: FUNDER, balance: flow }], readMs);

  test('a funder is not spent below it, by what it had when it was last seen, what settled since, and what may still settle', async () => {
    await limit({ funderFloor: 10n * FLOW });
    await balance(10n * FLOW + 2n * FEE_BOUND + 30n * (AMOUNT + ACCOUNT) - 1n);
    const first = await create(ann, 20);
    expect(isFunderAtFloor(await refusal(create(bob, 10)))).toBe(true);
    await seal(first);
    await create(bob, 10);
    expect(isFunderAtFloor(await refusal(create(ann, 10)))).toBe(true);
  });

  test('a balance that was read before something settled does not give it back', async () => {
    await limit({ funderFloor: 10n * FLOW });
    await balance(12n * FLOW);
    await seal(await create(ann, 10));
    // Read before the creation, as it seems.
    await balance(12n * FLOW, 1_000);
    expect(isFunderAtFloor(await refusal(create(ann, 10)))).toBe(true);
    await database.asOwner("update wallet_sync.transaction set settled_at = settled_at - interval '1 minute'");
    await balance(12n * FLOW, 1_000);
    await create(ann, 10);
  });

  test('a balance that is saved while something settles does not lose what that cost', async () => {
    await limit({ funderFloor: 10n * FLOW });
    await balance(20n * FLOW);
    const { transaction } = await create(ann, 1);
    let saved: Promise<void> | undefined;
    await database.journal.transaction(async (db) => {
      await db.query("update wallet_sync.transaction set state = 'given_up', settled_at = clock_timestamp() where id = $1", [transaction.id]);
      // As at the commit: the row of the balance is locked from here on.
      await db.query('set constraints all immediate');
      saved = balance(20n * FLOW);
      const waits = async () => (await database.asOwner("select from pg_stat_activity where wait_event_type = 'Lock' and query like '%save_balance%'")).length > 0;
      await until(30_000, waits);
    });
    await saved;
    expect(await database.asOwner('select spent::text from wallet_sync.funder_balance')).toEqual([{ spent: (AMOUNT + ACCOUNT + FEE_BOUND).toString() }]);
  });
});

test('with 100,000 transactions in the day, the limits are looked at in less than 10 ms', async () => {
  await limit({ flowShort: 10n ** 12n, flowLong: 10n ** 13n, accountsShort: 10_000_000 });
  // As they settle, a row a minute: 1,440 of them.
  await database.asOwner("insert into wallet_sync.spending (starts_at, ends_at, flow, accounts) select now() - m * interval '1 minute', now() - (m - 1) * interval '1 minute', 700, 70 from generate_series(1, 1440) m");
  await create(ann, 25);
  const startedAt = performance.now();
  for (let i = 0; i < 20; i++) await standing('flow_short');
  expect((performance.now() - startedAt) / 20).toBeLessThan(50);
});

import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { signUpMany } from '../../dev/signUp.js';
import { startStack, type Stack } from '../../dev/stack.js';
import { checkWallets, type CheckedWallet } from '../../src/flow/checkWallets.js';
import { fundWallets, type NeedyWallet } from '../../src/handlers/fundWallets.js';
import { repairWallet, type BrokenWallet } from '../../src/handlers/repairWallet.js';
import { assignAccounts } from '../../src/journal/assignments.js';
import { saveBalances } from '../../src/journal/balances.js';
import { openCycle } from '../../src/journal/cycles.js';
import { heartbeat } from '../../src/journal/instances.js';
import { takeOverTransactions } from '../../src/journal/takeOver.js';
import type { LiveTransaction } from '../../src/journal/transactions.js';
import { startOutsider, type Outsider } from '../faults/outsider.js';
import { until } from '../support/daemonWorld.js';
import { expectExactLedger } from '../support/exactLedger.js';
import { startInProcess, type InProcess } from '../support/inProcess.js';
import { actAs, BLOCK_VAULT, DROP_VAULT, FILL_STORAGE, MISTYPE_RECEIVER, REVOKE_KEY, SPEND_FLOW, UNPUBLISH_BALANCE, UNPUBLISH_RECEIVER, type OwnersAct } from '../support/walletOwner.js';
import { strangeSigner } from './chainParts.js';

const WALLETS = 30;
const WHOLE = { exists: true, keyPresent: true, flowReceiver: true, vault: true, receiverCapability: true, balanceCapability: true };
const NO_COUNTS = { synced_wallets: 0, vaults_created: 0, flow_funding_needed: 0, flow_funding_success: 0, flow_funding_errors: 0, flow_spent: 0 };
const AMOUNT = 10_000_000;

let stack: Stack;
let outsider: Outsider;
let ann: InProcess;
let bob: InProcess;
const opened: InProcess[] = [];
/** Each test breaks wallets of its own. */
let untouched: Omit<BrokenWallet, 'makesVault'>[];
let cycle: number;

const sql = (text: string, params: readonly unknown[] = []) => stack.postgres.query('postgres', text, params);
const open = async (options: Parameters<typeof startInProcess>[1] = {}): Promise<InProcess> => {
  const started = await startInProcess(stack, options);
  opened.push(started);
  return started;
};

beforeAll(async () => {
  stack = await startStack({ blockTimeMs: 200, funders: 3 });
  outsider = await startOutsider(stack);
  [ann, bob] = [await open(), await open()];
  await signUpMany(stack.authPool, WALLETS);
  await ann.maker.startBatches();
  await until(60_000, async () => ann.follower.unsettled().length === 0);
  await assignAccounts(ann.instance.journal, { maxUsers: WALLETS, via: 'poll', heard: {} });
  untouched = (await sql(`select id::int as "accountId", address, public_key as "publicKey", private_key as "encryptedPrivateKey" from wallet_sync.account where state = 'assigned' order by id`)) as unknown as typeof untouched;
  expect(untouched.length).toBe(WALLETS);
});
afterAll(async () => {
  await Promise.all(opened.map((each) => each.stop()));
  outsider?.close();
  await stack?.stop();
});
beforeEach(async () => {
  await Promise.all(opened.map(({ instance }) => heartbeat(instance.journal, instance.id, {})));
  cycle = (await openCycle(ann.instance.journal, { instanceId: ann.instance.id, reason: 'test', source: 'postgres', resumes: false })).id;
});

const take = (makesVault = false): BrokenWallet => ({ ...untouched.shift()!, makesVault });
async function broken(does: readonly OwnersAct[], makesVault = false): Promise<BrokenWallet> {
  const wallet = take(makesVault);
  for (const each of does) await actAs({ stack }, wallet, each);
  return wallet;
}
const repair = (wallet: BrokenWallet, by = ann): Promise<LiveTransaction> => repairWallet(by.instance, by.follower, wallet, { cycle });
const stateOf = async (id: string) => (await sql('select state::text, fee::int, error_kind, error, instance from wallet_sync.transaction where id = $1', [id]))[0]!;
async function ended(transaction: LiveTransaction): Promise<Awaited<ReturnType<typeof stateOf>>> {
  await until(60_000, async () => (await stateOf(transaction.id))['state'] !== 'live');
  return stateOf(transaction.id);
}
const look = async (wallet: BrokenWallet): Promise<CheckedWallet> => (await checkWallets({ accessNode: ann.instance.node, cadence: ann.instance.cadence, wallets: [wallet] })).wallets[0]!;
const counts = async () =>
  (await sql('select synced_wallets::int, vaults_created::int, flow_funding_needed::int, flow_funding_success::int, flow_funding_errors::int, flow_spent::int from wallet_sync.cycle where id = $1', [cycle]))[0];
const funderSlots = () => sql("select address, key_index, epoch, leased_by, out_of_rotation from wallet_sync.slot where role = 'funder' order by 1, 2");
const walletSlots = () => sql("select address from wallet_sync.slot where role = 'wallet'");
const outOfRotation = async () => (await sql('select address, key_index, out_of_rotation from wallet_sync.slot where out_of_rotation is not null order by 1, 2')).map((row) => [row['address'], row['out_of_rotation']]);
const putBack = () => sql('update wallet_sync.slot set out_of_rotation = null');

describe('a repair', () => {
  it.each<[string, OwnersAct, boolean, Partial<CheckedWallet>]>([
    ['its vault', DROP_VAULT, true, { vault: false, receiverCapability: false, balanceCapability: false }],
    ['its published balance', UNPUBLISH_BALANCE, false, { balanceCapability: false }],
    ['its published receiver', UNPUBLISH_RECEIVER, false, { receiverCapability: false }],
    ['a receiver that leads to its vault', MISTYPE_RECEIVER, false, { receiverCapability: false }],
  ])('gives a wallet %s again, signs with the wallet, is paid by a funder, takes no slot of one, and counts exactly', async (_, act, makesVault, lacks) => {
    const wallet = await broken([act], makesVault);
    const before = await look(wallet);
    expect(before).toMatchObject({ ...WHOLE, ...lacks });
    const slots = await funderSlots();
    const live = await repair(wallet);
    expect(live).toMatchObject({ kind: 'repair', slot: { address: wallet.address }, cycle });
    expect(ann.instance.network.funders.map((funder) => funder.address)).toContain(live.payer!.address);
    const end = await ended(live);
    expect(end).toMatchObject({ state: 'sealed', error: null });
    expect(await look(wallet)).toMatchObject({ ...WHOLE, flowBalance: before.flowBalance });
    expect(await counts()).toEqual({ ...NO_COUNTS, synced_wallets: 1, vaults_created: makesVault ? 1 : 0, flow_spent: end['fee'] });
    expect(end['fee']).toBeGreaterThan(0);
    expect(await funderSlots()).toEqual(slots);
    expect(await walletSlots()).toEqual([]);
  });

  it('of a whole wallet changes nothing, and one wallet has one at a time', async () => {
    const wallet = take();
    const live = await repair(wallet);
    await expect(repair(wallet, bob)).rejects.toMatchObject({ kind: 'data', message: expect.stringMatching(/not sealed yet/) as string });
    expect((await ended(live))['state']).toBe('sealed');
    expect(await look(wallet)).toMatchObject(WHOLE);
    expect(await sql("select 1 from wallet_sync.transaction where kind = 'repair' and cycle = $1", [cycle])).toHaveLength(1);
  });

  it('asked for by two instances at the same moment is one', async () => {
    const wallet = await broken([UNPUBLISH_BALANCE]);
    const both = await Promise.allSettled([repair(wallet, ann), repair(wallet, bob)]);
    const live = both.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []));
    expect(live).toHaveLength(1);
    await ended(live[0]!);
    expect(await counts()).toMatchObject({ synced_wallets: 1 });
    expect(await walletSlots()).toEqual([]);
  });

  it('is settled once where the node lags behind, and where answers to broadcasts are lost', async () => {
    const wallet = await broken([DROP_VAULT], true);
    stack.accessNode.faults.lag(10);
    stack.accessNode.faults.dropAnswerAfterDelivery(1, 'transaction');
    const end = await ended(await repair(wallet));
    stack.accessNode.faults.clear();
    expect(end['state']).toBe('sealed');
    expect(await look(wallet)).toMatchObject(WHOLE);
    expect(await counts()).toMatchObject({ synced_wallets: 1, vaults_created: 1, flow_spent: end['fee'] });
  });

  it('that cannot succeed fails with its fee counted, and takes nothing out of the rotation', async () => {
    const wallet = await broken([BLOCK_VAULT], true);
    const end = await ended(await repair(wallet));
    expect(end).toMatchObject({ state: 'failed', error_kind: 'chain-state', error: expect.stringContaining('something else is stored') as string });
    expect(await counts()).toEqual({ ...NO_COUNTS, flow_spent: end['fee'] });
    expect(await outOfRotation()).toEqual([]);
    expect(await walletSlots()).toEqual([]);
  });

  it('of a wallet whose FLOW pays for no more storage is no fault of the funder', async () => {
    const wallet = await broken([DROP_VAULT, UNPUBLISH_BALANCE, UNPUBLISH_RECEIVER, SPEND_FLOW(100_000n), FILL_STORAGE], true);
    const end = await ended(await repair(wallet));
    expect(end).toMatchObject({ state: 'failed', error_kind: 'funds', error: expect.stringContaining('1103') as string });
    expect(end['error']).toContain(wallet.address.slice(2));
    expect(await outOfRotation()).toEqual([]);
  });

  it('is not even recorded where the key is revoked, of another account, or cannot be opened', async () => {
    const revoked = await broken([DROP_VAULT, REVOKE_KEY], true);
    await expect(repair(revoked)).rejects.toMatchObject({ kind: 'data', where: `wallet ${revoked.address}`, message: expect.stringMatching(/revoked/) as string });
    const [one, other] = [take(), take()];
    await expect(repair({ ...one, publicKey: other.publicKey })).rejects.toMatchObject({ kind: 'data', message: 'its key is not on chain' });
    await expect(repair({ ...one, address: '0xd47e2a3f590de72e' })).rejects.toMatchObject({ kind: 'data' });
    await expect(repair({ ...one, encryptedPrivateKey: other.encryptedPrivateKey })).rejects.toMatchObject({ kind: 'data', where: 'flow_private_key' });
    expect(await sql('select 1 from wallet_sync.transaction where cycle = $1', [cycle])).toEqual([]);
    expect(await walletSlots()).toEqual([]);
  });

  it('whose key is revoked before it is executed blames no funder', async () => {
    const wallet = await broken([UNPUBLISH_BALANCE]);
    ann.setSending(false);
    const live = await repair(wallet);
    await actAs({ stack }, wallet, REVOKE_KEY);
    ann.setSending(true);
    expect(await ended(live)).toMatchObject({ state: 'failed', error: expect.stringMatching(/\[Error Code: 100[678]\]/) as string });
    expect(await outOfRotation()).toEqual([]);
  });

  it('whose payer has no FLOW takes that funder out of the rotation; without any nothing is recorded', async () => {
    const wallet = await broken([UNPUBLISH_BALANCE]);
    const [poor] = outsider.funders;
    await outsider.leave(poor!.name, 100_000n);
    await sql("update wallet_sync.slot set out_of_rotation = 'test' where address <> $1", [poor!.address]);
    expect(await ended(await repair(wallet))).toMatchObject({ state: 'failed', error_kind: 'funds' });
    expect((await outOfRotation()).filter(([, reason]) => reason !== 'test')).toEqual([[poor!.address, 'no FLOW left']]);
    await expect(repair(wallet)).rejects.toMatchObject({ kind: 'funds', message: expect.stringMatching(/in rotation/) as string });
    expect(await walletSlots()).toEqual([]);
    await outsider.give(poor!.name, 10_000_000_000n);
    await putBack();
    expect((await ended(await repair(wallet)))['state']).toBe('sealed');
  });

  it("whose payer's key is another takes that key out of the rotation", async () => {
    const wallet = await broken([UNPUBLISH_BALANCE]);
    const wrong = await open({ network: (network) => ({ ...network, funders: network.funders.slice(0, 1).map((funder) => ({ ...funder, signer: strangeSigner() })) }) });
    const live = await repair(wallet, wrong);
    expect(await ended(live)).toMatchObject({ state: 'failed', error_kind: 'data', error: expect.stringContaining('1009') as string });
    expect((await outOfRotation()).map(([address]) => address)).toEqual([live.payer!.address]);
    await putBack();
  });

  it('that shows no sign of life until its expiry and 60 blocks are past is given up, counts nothing, and the next one mends the wallet', async () => {
    const wallet = await broken([UNPUBLISH_BALANCE]);
    const mute = await open({ settings: { TRANSACTION_EXPIRY: '10' } });
    mute.setSending(false);
    const live = await repair(wallet, mute);
    expect(await ended(live)).toMatchObject({ state: 'given_up', error_kind: 'expired', fee: null });
    expect(await counts()).toEqual(NO_COUNTS);
    expect(await walletSlots()).toEqual([]);
    expect((await ended(await repair(wallet)))['state']).toBe('sealed');
    expect(await look(wallet)).toMatchObject(WHOLE);
    // Sent late all the same, as by a node that had kept it: its sequence number is used, so it changes nothing.
    await ann.instance.node.send(live);
    await until(60_000, async () => (await ann.instance.node.result(live.id)).status === 'sealed');
    expect(await look(wallet)).toMatchObject(WHOLE);
    expect(await outOfRotation()).toEqual([]);
  });

  it('that its instance never sent is taken over, sent and counted by another, once', async () => {
    const wallet = await broken([DROP_VAULT], true);
    ann.setSending(false);
    const live = await repair(wallet);
    await sql("update wallet_sync.slot set lease_until = clock_timestamp() - interval '1 ms' where address = $1", [wallet.address]);
    const taken = await takeOverTransactions(bob.instance.journal, bob.instance.id, bob.follower.unsettled());
    expect(taken).toMatchObject([{ id: live.id, kind: 'repair', payer: live.payer, cycle, slot: { epoch: live.slot.epoch + 1 } }]);
    for (const each of taken) bob.follower.follow(each);
    const end = await ended(live);
    expect(end).toMatchObject({ state: 'sealed', instance: bob.instance.id });
    ann.setSending(true);
    await until(60_000, async () => ann.follower.unsettled().length === 0);
    expect(await look(wallet)).toMatchObject(WHOLE);
    expect(await counts()).toEqual({ ...NO_COUNTS, synced_wallets: 1, vaults_created: 1, flow_spent: end['fee'] });
  });
});

describe('a funding', () => {
  const needy = async (wallets: readonly BrokenWallet[]): Promise<NeedyWallet[]> => {
    const { height } = await checkWallets({ accessNode: ann.instance.node, cadence: ann.instance.cadence, wallets });
    return wallets.map(({ accountId, address }) => ({ accountId, address, balanceHeight: height }));
  };

  it('counts who was reached and who was passed over, and what it spent, exactly', async () => {
    const wallets = [await broken([SPEND_FLOW(1_000_000n)]), await broken([SPEND_FLOW(200_000n)]), take()];
    await actAs({ stack }, wallets[2]!, 'transaction { prepare(me: auth(Capabilities) &Account) { me.capabilities.unpublish(/public/flowTokenReceiver) } }');
    const live = await fundWallets(ann.instance, ann.follower, await needy(wallets), { cycle });
    expect(await counts()).toEqual({ ...NO_COUNTS, flow_funding_needed: 3 });
    const end = await ended(live!);
    expect(await counts()).toEqual({ ...NO_COUNTS, flow_funding_needed: 3, flow_funding_success: 2, flow_funding_errors: 1, flow_spent: 2 * AMOUNT + Number(end['fee']) });
    expect((await look(wallets[0]!)).flowBalance).toBe(11_000_000n);
    expect((await look(wallets[1]!)).flowBalance).toBe(10_200_000n);
  });

  it('of a wallet under repair waits for it: refused with `data`, and after it funded', async () => {
    const wallet = await broken([UNPUBLISH_BALANCE, SPEND_FLOW(1_000_000n)]);
    const list = await needy([wallet]);
    const live = await repair(wallet);
    await expect(fundWallets(ann.instance, ann.follower, list, { cycle })).rejects.toMatchObject({ kind: 'data', message: expect.stringMatching(/not sealed yet/) as string });
    await ended(live);
    expect((await ended((await fundWallets(ann.instance, ann.follower, list, { cycle }))!))['state']).toBe('sealed');
    expect(await counts()).toMatchObject({ synced_wallets: 1, flow_funding_needed: 1, flow_funding_success: 1, flow_funding_errors: 0 });
    expect(await sql("select 1 from wallet_sync.slot where leased_by is not null")).toEqual([]);
  });

  it('that is too large for what funders have above their floor leaves them in the rotation, for a smaller one; one for a single wallet does not', async () => {
    const list = await needy([take(), take()]);
    const FLOOR = 100_000_000n;
    const { journal, network } = ann.instance;
    await saveBalances(journal, network.funders.map(({ address }) => ({ address, balance: FLOOR + 41_000_000n + BigInt(AMOUNT) })), 0);
    await sql('update wallet_sync.funder_balance set spent = 0');
    await sql('update wallet_sync.spending_limit set funder_floor = $1', [`${FLOOR}`]);
    await expect(fundWallets(ann.instance, ann.follower, list, { cycle })).rejects.toMatchObject({ where: 'postgres WS022' });
    expect(await outOfRotation()).toEqual([]);
    const half = await fundWallets(ann.instance, ann.follower, list.slice(0, 1), { cycle });
    expect((await ended(half!))['state']).toBe('sealed');
    await sql('update wallet_sync.funder_balance set balance = balance - 1, spent = 0');
    await expect(fundWallets(ann.instance, ann.follower, list.slice(1), { cycle })).rejects.toMatchObject({ where: 'postgres WS022' });
    expect(await outOfRotation()).toHaveLength(1);
    await sql('update wallet_sync.spending_limit set funder_floor = 0');
    await putBack();
  });
});

it('after all of that the ledger is exact: repairs, fundings, who was passed over, and what failed', async () => {
  // One transaction was an outsider's: a funder's FLOW taken away.
  await expectExactLedger(stack, 1);
});

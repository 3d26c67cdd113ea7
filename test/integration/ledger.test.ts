import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { broadcast } from '../../dev/chain.js';
import { signUpMany } from '../../dev/signUp.js';
import { startStack, type Stack } from '../../dev/stack.js';
import type { AccessNode } from '../../src/flow/accessNode.js';
import { readWithdrawals } from '../../src/flow/withdrawals.js';
import { checkWallets } from '../../src/flow/checkWallets.js';
import { fundWallets } from '../../src/handlers/fundWallets.js';
import { reckon } from '../../src/handlers/reckon.js';
import { createFundingSettler } from '../../src/handlers/settleFunding.js';
import { watchGivenUp } from '../../src/handlers/watchGivenUp.js';
import { assignAccounts } from '../../src/journal/assignments.js';
import { heartbeat } from '../../src/journal/instances.js';
import { readLedger, type LedgerEntry } from '../../src/journal/ledger.js';
import type { LiveTransaction } from '../../src/journal/transactions.js';
import { startOutsider, type Outsider } from '../faults/outsider.js';
import { runCommand, type Ended } from '../support/command.js';
import { until } from '../support/daemonWorld.js';
import { expectExactLedger, verifyWholeLedger } from '../support/exactLedger.js';
import { startInProcess, type InProcess } from '../support/inProcess.js';

/** 64 bytes that are no point of the curve: the chain refuses to make a key of them. */
const NO_POINT = 'ff'.repeat(64);
const FUNDING = 10_000_000n;
/** Measured on the emulator: its account creation fee, all of which is the new account's storage reservation. */
const ACCOUNT_COST = 100_000n;

let stack: Stack;
let outsider: Outsider;
let ann: InProcess;
/** Gives up soon: after 10 blocks and the margin of 60. */
let hasty: InProcess;
/** Settled in each way, by id. */
let made: Record<'sealed' | 'failed' | 'scanned' | 'lateSealed' | 'lateFailed' | 'lateFunding', string>;

const sql = (text: string, params: readonly unknown[] = []) => stack.postgres.query('postgres', text, params);
const entriesOf = async (id: string): Promise<LedgerEntry[]> => (await all()).filter((entry) => entry.tx_id === id);
const partsOf = async (id: string) => (await entriesOf(id)).map(({ part, amount }) => [part, amount]);
const feeOf = async (id: string) => (await entriesOf(id)).at(-1)?.fee;
const sorted = (amounts: readonly bigint[]): bigint[] => [...amounts].sort((a, b) => Number(a - b));

async function all(): Promise<LedgerEntry[]> {
  const entries: LedgerEntry[] = [];
  // Pages of two transactions, so that several are turned.
  for await (const page of readLedger(ann.instance.journal, {}, 2)) entries.push(...page);
  return entries;
}

/** Records a creation of so many accounts: with as many users more as are being served already, who are gone then. Gives its id. */
async function make(by: InProcess, accounts: number): Promise<string> {
  await heartbeat(by.instance.journal, by.instance.id, {});
  const before = (await sql('select id from wallet_sync.transaction')).map((row) => row['id']);
  const [making] = await sql("select count(*)::int as accounts from wallet_sync.member m join wallet_sync.transaction t on t.id = m.transaction_id where m.live and t.kind = 'create'");
  const signUps = await signUpMany(stack.authPool, accounts + Number(making!['accounts']));
  await by.maker.startBatches();
  const [transaction] = await sql('select id from wallet_sync.transaction where id <> all($1)', [before]);
  if (by === hasty) await stack.authPool.query('delete from auth.users where id = any($1)', [signUps.map((each) => each.authId)]);
  return String(transaction!['id']);
}
const ended = (id: string, state: string): Promise<void> => until(90_000, async () => (await sql('select state::text from wallet_sync.transaction where id = $1', [id]))[0]?.['state'] === state);

/** What failed together is not tried again by the next batch; the bad key is its first member where that is asked for. */
async function park(withBadKey: boolean): Promise<void> {
  await sql("update wallet_sync.account set state = 'submitted' where state = 'prepared'");
  if (!withBadKey) return;
  await sql("insert into wallet_sync.account (public_key, private_key) values ($1, 'v1:lost') on conflict do nothing", [NO_POINT]);
  await sql("update wallet_sync.account set state = 'prepared', prepared_by = null where public_key = $1 and state <> 'prepared'", [NO_POINT]);
}

async function fund(by: InProcess): Promise<string> {
  const [wallet] = await sql("select id::int as id, address, public_key from wallet_sync.account where state = 'assigned' limit 1");
  const needy = { accountId: Number(wallet!['id']), address: String(wallet!['address']) };
  const { height } = await checkWallets({ accessNode: by.instance.node, cadence: by.instance.cadence, wallets: [{ address: needy.address, publicKey: String(wallet!['public_key']) }] });
  return (await fundWallets(by.instance, by.follower, [{ ...needy, balanceHeight: height }], { cycle: null }))!.id;
}

/** As a node would that had kept it. */
async function deliverLate(id: string): Promise<void> {
  const { node } = ann.instance;
  await broadcast(node, { id, body: String((await sql('select body from wallet_sync.transaction where id = $1', [id]))[0]!['body']) });
  await until(60_000, async () => (await node.result(id)).status === 'sealed');
}

beforeAll(async () => {
  stack = await startStack({ blockTimeMs: 100, funders: 5 });
  outsider = await startOutsider(stack);
  [ann, hasty] = [await startInProcess(stack), await startInProcess(stack, { settings: { TRANSACTION_EXPIRY: '10' } })];
  const sealed = await make(ann, 3);
  await ended(sealed, 'sealed');
  await assignAccounts(ann.instance.journal, { maxUsers: 3, via: 'poll', heard: {} });
  await park(true);
  const failed = await make(hasty, 2);
  await ended(failed, 'failed');
  await park(false);
  // From here on no result is told.
  stack.accessNode.faults.pendingForEver(true);
  const sent = hasty.instance.statistics.transactionsSent;
  const scanned = await make(hasty, 2);
  await until(30_000, async () => hasty.instance.statistics.transactionsSent > sent);
  hasty.setSending(false);
  const lateFunding = await fund(hasty);
  const lateSealed = await make(hasty, 2);
  await park(true);
  const lateFailed = await make(hasty, 1);
  made = { sealed, failed, scanned, lateSealed, lateFailed, lateFunding };
  await ended(scanned, 'sealed');
  for (const id of [lateSealed, lateFunding, lateFailed]) await ended(id, 'given_up');
});
afterAll(async () => {
  await ann?.stop();
  await hasty?.stop();
  outsider?.close();
  await stack?.stop();
});

/** A node whose results say that they have sealed and leave out what happened. */
const withoutEvents = (): AccessNode => ({
  ...ann.instance.node,
  async result(id) {
    const result = await ann.instance.node.result(id);
    return result.failed === null ? { ...result, events: [] } : result;
  },
});

describe('what leaves a funder is in the ledger, to 10^-8 FLOW', () => {
  it('for each account of a creation its deposit and what it costs, for the transaction its fee', async () => {
    const account = ['account', ACCOUNT_COST];
    const deposit = ['deposit', FUNDING];
    expect(await partsOf(made.sealed)).toEqual([account, account, account, deposit, deposit, deposit, ['fee', 0n]]);
    expect(await feeOf(made.sealed)).toBeGreaterThan(0n);
    expect(new Set((await entriesOf(made.sealed)).map((entry) => entry.wallet)).size).toBe(4);
  });

  it('of a creation that failed its fee alone', async () => {
    expect(await partsOf(made.failed)).toEqual([['fee', 0n]]);
    expect(await feeOf(made.failed)).toBeGreaterThan(0n);
  });

  it('of one whose end was told by events alone what they leave out is not known, until its result is read', async () => {
    expect(await partsOf(made.scanned)).toEqual([['account', null], ['account', null], ['deposit', FUNDING], ['deposit', FUNDING], ['fee', 0n]]);
    expect(await feeOf(made.scanned)).toBeNull();
    expect(await reckon(ann.instance, 10)).toBe(0);
    stack.accessNode.faults.clear();
    expect(await reckon({ ...ann.instance, node: withoutEvents() }, 10)).toBe(0);
    expect(await partsOf(made.scanned)).toContainEqual(['account', null]);
    expect(await reckon(ann.instance, 10)).toBeGreaterThan(0);
    expect(await partsOf(made.scanned)).toEqual([['account', ACCOUNT_COST], ['account', ACCOUNT_COST], ['deposit', FUNDING], ['deposit', FUNDING], ['fee', 0n]]);
    expect(await feeOf(made.scanned)).toBeGreaterThan(0n);
    await expectExactLedger(stack);
  });

  it('of what was given up and sealed after all everything, and of what failed after all its fee', async () => {
    const late = [made.lateSealed, made.lateFunding, made.lateFailed];
    expect((await Promise.all(late.map(entriesOf))).flat()).toEqual([]);
    for (const id of late) await deliverLate(id);
    const { findings } = await verifyWholeLedger(stack);
    expect(findings.map((finding) => [finding.kind, 'txId' in finding ? finding.txId : '']).sort()).toEqual(late.map((id) => ['unrecorded', id]).sort());
    await watchGivenUp({ ...ann.instance, node: withoutEvents() }, 600_000, 20);
    expect(await partsOf(made.lateFunding), 'a result without its events is no entry').toEqual([]);
    await until(60_000, async () => {
      await watchGivenUp(ann.instance, 600_000, 20);
      return (await Promise.all(late.map(entriesOf))).every((entries) => entries.length > 0);
    });
    expect(await partsOf(made.lateSealed)).toEqual([['account', ACCOUNT_COST], ['account', ACCOUNT_COST], ['deposit', FUNDING], ['deposit', FUNDING], ['fee', 0n]]);
    expect(await partsOf(made.lateFunding)).toEqual([['deposit', FUNDING], ['fee', 0n]]);
    expect(await partsOf(made.lateFailed)).toEqual([['fee', 0n]]);
    await expectExactLedger(stack);
  });

  it('of a funding that sealed nothing, while the answer shows neither its deposits nor its fee: it is asked for again', async () => {
    await expect(createFundingSettler(ann.instance).sealed({ id: made.lateFunding } as LiveTransaction, [], 1)).rejects.toMatchObject({ kind: 'network', where: 'access node' });
  });

  it('and nothing else: the entries of each transaction are the withdrawals from its payer that its own events show', async () => {
    const entries = await all();
    const ids = [...new Set(entries.map((entry) => entry.tx_id))];
    expect(ids.sort()).toEqual(Object.values(made).sort());
    for (const id of ids) {
      const own = entries.filter((entry) => entry.tx_id === id);
      const withdrawals = readWithdrawals((await ann.instance.node.result(id)).events, ann.instance.network).filter((each) => each.address === own[0]!.funder);
      expect(sorted(own.map((entry) => (entry.amount ?? -1n) + (entry.fee ?? -1n))), id).toEqual(sorted(withdrawals.map((each) => each.amount)));
    }
  });
});

describe('`wallet-sync ledger`', () => {
  const run = (...args: string[]): Promise<Ended> => {
    const env = stack.env();
    return runCommand(['ledger', ...args], Object.fromEntries(['DATABASE_URL', 'NETWORK', 'FLOW_ACCESS_NODE', 'FLOW_JSON'].map((name) => [name, env[name] ?? ''])));
  };
  const lines = (ended: Ended): Record<string, unknown>[] => ended.stdout.trim().split('\n').map((line) => JSON.parse(line) as Record<string, unknown>);

  it('lists every entry, the newest last, and adds them up by purpose and by funder', async () => {
    const entries = await all();
    const ended = await run('--json');
    expect(ended).toMatchObject({ code: 0, stderr: '' });
    const listed = lines(ended);
    expect(listed.length).toBe(entries.length + 1);
    const times = listed.slice(0, -1).map((line) => String(line['at']));
    expect(times).toEqual([...times].sort());
    const { totals } = listed.at(-1) as { totals: { entries: number; not_known_yet: number; funders: Record<string, { total: string }> } };
    expect(totals).toMatchObject({ entries: entries.length, not_known_yet: 0 });
    const spent = entries.reduce((sum, entry) => sum + (entry.amount ?? 0n) + (entry.fee ?? 0n), 0n);
    expect(Object.values(totals.funders).reduce((sum, each) => sum + BigInt(each.total.replace('.', '')), 0n)).toBe(spent);
    expect((await run()).stdout.trimEnd().split('\n').at(-1)).toMatch(/^all +\d+\.\d{8} +fees \d+\.\d{8}$/);
    expect(lines(await run('--since', '2126-01-01', '--json'))).toEqual([{ totals: { entries: 0, not_known_yet: 0, purposes: {}, funders: {} } }]);
  });

  it('of one user lists what his wallet cost', async () => {
    const [user] = await sql("select auth_id from wallet_sync.account where state = 'assigned' order by id limit 1");
    const listed = lines(await run('--user', String(user!['auth_id']), '--json'));
    expect(listed.slice(0, -1).map((line) => [line['part'], line['amount'], line['user']])).toEqual(expect.arrayContaining([['account', '0.00100000', user!['auth_id']], ['deposit', '0.10000000', user!['auth_id']]]));
  });

  it('verify refuses what it can only be asked by mistake', async () => {
    expect((await run('verify', '--since', 'soon')).code).toBe(2);
    expect((await run('verify', '--user', 'ann')).code).toBe(2);
  });

  it('verify ends with 0 where it is exact, begins the next time where it was, and ends with 1 and the transaction where somebody else took FLOW', async () => {
    const right = await run('verify', '--json');
    expect(right.code).toBe(0);
    const [first] = lines(right);
    expect(first).toMatchObject({ exact: true, differences: 0, not_ours: 0, pending: 0, findings: [] });

    const [poor] = outsider.funders;
    await outsider.leave(poor!.name, 500_000_000n);
    const foreign = await run('verify', '--json');
    expect(foreign.code).toBe(1);
    expect(lines(foreign)[0]).toMatchObject({ exact: false, differences: 0, not_ours: 1, transactions: 0, from_height: Number(first!['to_height']) + 1, findings: [{ kind: 'not-ours', funder: poor!.address }] });
    await expectExactLedger(stack, 1);
  });
});

it('a fee that the ledger lacks is found, with the transaction, and in the balance', async () => {
  const [failed] = await sql("select fee::text as fee, coalesce(payer_address, proposer_address) as payer from wallet_sync.transaction where id = $1", [made.failed]);
  const [fee, funder] = [BigInt(String(failed!['fee'])), failed!['payer']];
  await sql('update wallet_sync.transaction set fee = 0 where id = $1', [made.failed]);
  const { verified, findings } = await verifyWholeLedger(stack);
  expect(findings.filter((finding) => finding.kind !== 'not-ours')).toEqual([
    { kind: 'differs', txId: made.failed, funder, ledger: [], chain: [fee] },
    { kind: 'balance', funder, difference: -fee },
  ]);
  expect(verified.isExact).toBe(false);
  await sql('update wallet_sync.transaction set fee = $2 where id = $1', [made.failed, `${fee}`]);
  await expectExactLedger(stack, 1);
});

import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { sendAndSeal } from '../../../dev/chain.js';
import { connectAccessNode, type AccessNode } from '../../../src/flow/accessNode.js';
import { parseAmount } from '../../../src/flow/amount.js';
import { buildTransaction } from '../../../src/flow/buildTransaction.js';
import { loadCadence } from '../../../src/flow/cadence.js';
import { buildFundWallets } from '../../../src/flow/fundWallets.js';
import { createLimiter } from '../../../src/flow/limiter.js';
import { loadNetwork, type Funder, type Network } from '../../../src/flow/network.js';
import { createLog } from '../../../src/log.js';
import { runCommand, startCommand, type Command, type Ended } from '../../support/command.js';
import { sourceIs, startDaemonWorld, until, type DaemonWorld } from '../../support/daemonWorld.js';

let world: DaemonWorld;
let network: Network;
let node: AccessNode;
/** What a command needs: no Supabase project, no master key. */
let env: Record<string, string>;
/** Begun with the file: it waits for half a minute. */
let waitsForSlot: Command;

beforeAll(async () => {
  world = await startDaemonWorld({ funders: 7 });
  const all = world.stack.env();
  env = Object.fromEntries(['DATABASE_URL', 'NETWORK', 'FLOW_ACCESS_NODE', 'FLOW_JSON'].map((name) => [name, all[name] ?? '']));
  network = await loadNetwork({ flowJsonPath: env['FLOW_JSON']!, network: 'emulator', env: {} });
  const limiter = createLimiter({ scriptRps: 1_000, transactionRps: 1_000, eventRps: 1_000, readRps: 1_000 });
  node = connectAccessNode({ url: world.stack.emulator.restUrl, limiter, log: createLog({ level: 'silent' }) });
  await sql("insert into wallet_sync.slot (address, key_index, leased_by, epoch, lease_until) values ($1, 0, $2, 1, clock_timestamp() + interval '1 hour')", [funder('funder-6').address, randomUUID()]);
  waitsForSlot = addKeys('funder-6', '1');
});
afterAll(async () => {
  node?.close();
  await world?.stop();
});

// Also after a test that failed in between.
afterEach(() => world.stack.accessNode.faults.clear());

/** Each test has a funding account of its own. */
const funder = (name: string): Funder => network.funders.find((each) => each.name === name)!;
const sql = (text: string, values: readonly unknown[] = []) => world.stack.postgres.query('postgres', text, values);
const slotsOf = async (name: string) => (await sql('select key_index from wallet_sync.slot where address = $1 order by 1', [funder(name).address])).map((row) => row['key_index']);
const keysOf = async (name: string) => (await node.account(funder(name).address))!.keys;
const addKeys = (name: string, count: string, ...more: string[]): Command => startCommand(['funders', 'add-keys', name, '--count', count, ...more], env);
/** The same database under a name of its own, by which pg_stat_activity knows who asked. */
const called = (name: string): Record<string, string> => ({ ...env, DATABASE_URL: `${env['DATABASE_URL']!}?application_name=${name}` });

/** The transaction that adds keys to it and is not settled. */
async function unsealed(name: string): Promise<string> {
  const find = async () => (await sql("select id from wallet_sync.transaction where proposer_address = $1 and kind = 'add-keys' and state = 'live'", [funder(name).address]))[0]?.['id'] as string | undefined;
  await until(20_000, async () => (await find()) !== undefined);
  return (await find())!;
}

async function done(command: Command): Promise<{ transactions: { id: string; keys: number; key_indexes: number[]; fee: string | null; earlier: boolean }[] }> {
  const { code, stdout, stderr } = await command.ended;
  expect(stderr).toBe('');
  expect(code).toBe(0);
  return JSON.parse(stdout) as Awaited<ReturnType<typeof done>>;
}

/** Moves the end of its leases into the past, as time would. */
const endLeases = (name: string) => sql("update wallet_sync.slot set lease_until = clock_timestamp() - interval '1 ms' where address = $1", [funder(name).address]);

/** While they can't be sent, what is recorded stays unsealed. */
const holdSends = (): void => world.stack.accessNode.faults.cut(1_000, 'transaction');
const letSend = (): void => world.stack.accessNode.faults.clear();

/** The account itself does something to itself. */
async function spend(name: string, cadence: string): Promise<void> {
  const key = { address: funder(name).address, keyIndex: 0, signer: funder(name).signer };
  const { sequenceNumber } = (await keysOf(name))[0]!;
  await sendAndSeal(node, await buildTransaction({ cadence, args: [], reference: await node.latestSealedBlock(), proposer: { ...key, sequenceNumber }, payer: key, authorizers: [key] }));
}

describe('funders add-keys', () => {
  it('adds keys that a running daemon proposes with at once, and after its restart', async () => {
    const settings = { FUNDING_ACCOUNTS: 'funder-1', POOL_SIZE: '0', BACKLOG_POLL: '86400' };
    const daemon = world.daemon(settings);
    await sourceIs(daemon, 'notify', 'ok');
    const { transactions } = await done(addKeys('funder-1', '3', '--yes', '--json'));
    expect(transactions).toEqual([{ id: expect.stringMatching(/^[0-9a-f]{64}$/) as string, keys: 3, key_indexes: [1, 2, 3], fee: expect.stringMatching(/^0\.\d{8}$/) as string, earlier: false }]);
    expect(await slotsOf('funder-1')).toEqual([0, 1, 2, 3]);
    const [first] = await keysOf('funder-1');
    for (const key of await keysOf('funder-1')) expect(key).toMatchObject({ publicKey: first!.publicKey, signatureAlgorithm: 'ECDSA_P256', hashAlgorithm: 'SHA3_256', weight: 1000, revoked: false });
    expect(await sql("select state::text, kind, fee > 0 as paid, (select count(*)::int from wallet_sync.member m where m.transaction_id = t.id) as members from wallet_sync.transaction t where id = $1", [transactions[0]!.id])).toEqual([
      { state: 'sealed', kind: 'add-keys', paid: true, members: 0 },
    ]);

    const proposers = async () => (await sql("select distinct proposer_key_index as key from wallet_sync.transaction where kind = 'create' and proposer_address = $1 order by 1", [funder('funder-1').address])).map((row) => row['key']);
    // The slot that has rested longest comes first: the new ones, one after the other.
    await world.ready(await world.signUps(1));
    expect(await proposers()).toEqual([1]);
    await daemon.stop();
    const next = world.daemon(settings);
    await sourceIs(next, 'notify', 'ok');
    await world.ready(await world.signUps(1));
    expect(await proposers()).toEqual([1, 2]);
    await next.stop();
  });

  it('killed before its transaction was sent, with a daemon running: the daemon sends and settles it, once', async () => {
    holdSends();
    const killed = addKeys('funder-2', '2');
    const id = await unsealed('funder-2');
    killed.kill('SIGKILL');
    await killed.ended;
    await endLeases('funder-2');
    letSend();
    const daemon = world.daemon({ FUNDING_ACCOUNTS: 'funder-2', POOL_SIZE: '0' });
    await daemon.logged((line) => line.msg === 'keys added' && line['txId'] === id);
    expect(await slotsOf('funder-2')).toEqual([0, 1, 2]);
    expect(await keysOf('funder-2')).toHaveLength(3);
    await daemon.stop();
  });

  it('killed, with no daemon running: the repeat sends and settles the first one, and adds none of its own', async () => {
    holdSends();
    const killed = addKeys('funder-3', '2');
    const id = await unsealed('funder-3');
    killed.kill('SIGKILL');
    await killed.ended;
    await endLeases('funder-3');
    letSend();
    expect((await done(addKeys('funder-3', '2', '--json'))).transactions).toMatchObject([{ id, keys: 2, key_indexes: [1, 2], earlier: true }]);
    expect(await keysOf('funder-3')).toHaveLength(3);
    // What the first one lacks is added.
    const more = await runCommand(['funders', 'add-keys', funder('funder-3').address, '--count', '1'], env);
    expect(more).toMatchObject({ code: 0, stdout: expect.stringContaining('Added 1 key (3) to funder-3') as string });
    expect(await slotsOf('funder-3')).toEqual([0, 1, 2, 3]);
  });

  it('interrupted: says that the transaction goes on, and the repeat counts its keys', async () => {
    holdSends();
    const interrupted = addKeys('funder-4', '1');
    const id = await unsealed('funder-4');
    interrupted.kill('SIGINT');
    const { code, stderr } = await interrupted.ended;
    letSend();
    expect(code).toBe(1);
    expect(stderr).toMatch(new RegExp(`interrupted while transaction ${id} is not sealed\\n  mend: nothing to do`));
    const repeated = await runCommand(['funders', 'add-keys', 'funder-4', '--count', '2'], env);
    expect(repeated.stdout).toContain(`Added 1 key (1) to funder-4 (${funder('funder-4').address}), by an earlier run's transaction ${id.slice(0, 8)}`);
    expect(repeated.stdout).toContain('Added 1 key (2)');
    expect(await keysOf('funder-4')).toHaveLength(3);
  });

  it('two at the same time: the second waits for the first, and its keys count', async () => {
    holdSends();
    const first = addKeys('funder-5', '2', '--json');
    const id = await unsealed('funder-5');
    const second = startCommand(['funders', 'add-keys', 'funder-5', '--count', '2', '--json'], called('second'));
    // It waits for the first one's transaction: between its looks the last thing its connection did is the end of the take-over that is part of
    // each, the only SQL transaction that it runs before it sends. (The look's own statement is the last for less than 1 % of the time.)
    const asks = "select 1 from pg_stat_activity where application_name = 'second' and query = 'commit'";
    await until(20_000, async () => (await world.stack.postgres.query('supabase_admin', asks)).length > 0);
    letSend();
    expect((await done(first)).transactions).toMatchObject([{ id, keys: 2, earlier: false }]);
    expect((await done(second)).transactions).toMatchObject([{ id, keys: 2, earlier: true }]);
    expect(await keysOf('funder-5')).toHaveLength(3);
  });

  it('another instance\'s lease on every slot: waits 30 s, then says what each slot does', async () => {
    const { code, stderr } = await waitsForSlot.ended;
    expect(code).toBe(1);
    expect(stderr).toMatch(/^funding account funder-6 .*none of its slots came free within 30 s\n {2}key 0 leased by [0-9a-f-]{36}\n {2}mend: /);
    await sql("update wallet_sync.slot set leased_by = null, lease_until = null, out_of_rotation = 'below 5 FLOW' where address = $1", [funder('funder-6').address]);
    const out = await addKeys('funder-6', '1').ended;
    expect(out).toMatchObject({ code: 1, stderr: expect.stringMatching(/none of its slots is in rotation\n {2}key 0 out of rotation: below 5 FLOW\n {2}mend: /) as string });
    expect(await keysOf('funder-6')).toHaveLength(1);
  });

  it('a sequence number that something outside has used: read again, once added', async () => {
    await sql("update wallet_sync.slot set out_of_rotation = null, sequence_number = 40 where address = $1", [funder('funder-6').address]);
    expect((await done(addKeys('funder-6', '1', '--json'))).transactions).toMatchObject([{ keys: 1, key_indexes: [1] }]);
    expect(await sql("select state::text, error_kind from wallet_sync.transaction where proposer_address = $1 and kind = 'add-keys' order by created_at", [funder('funder-6').address])).toEqual([
      { state: 'failed', error_kind: 'sequence' },
      { state: 'sealed', error_kind: null },
    ]);
  });

  it('a funder that can\'t pay: nothing is sent', async () => {
    const { sequenceNumber } = (await keysOf('funder-7'))[0]!;
    const { balance } = (await node.account(funder('funder-7').address))!;
    await sendAndSeal(node, await buildFundWallets({
      network, cadence: loadCadence(network), slot: { address: funder('funder-7').address, keyIndex: 0, sequenceNumber }, signer: funder('funder-7').signer,
      reference: await node.latestSealedBlock(), deposits: [{ address: funder('funder-1').address, amount: balance - parseAmount('0.005') }],
    }));
    const { code, stderr } = await addKeys('funder-7', '1').ended;
    expect(code).toBe(1);
    expect(stderr).toMatch(/^funding account funder-7 .*0\.00\d{6} FLOW is too little to pay for it\n {2}mend: send it at least 0\.01000000 FLOW/);
    expect(await sql('select id from wallet_sync.transaction where proposer_address = $1', [funder('funder-7').address])).toEqual([]);
  });

  it.each<[string, string[], Record<string, string>, number, RegExp]>([
    ['an unknown account', ['funder-99', '--count', '1'], {}, 2, /flow\.json: emulator has no funding account "funder-99"\n {2}mend: name one of funder-1 \(0x/],
    ['an address of nobody', ['0x1234', '--count', '1'], {}, 2, /has no funding account "0x1234"/],
    ['a count of 0', ['funder-1', '--count', '0'], {}, 2, /^--count: must be a whole number from 1 to 100/],
    ['a count of 101', ['funder-1', '--count', '101'], {}, 2, /^--count: must be a whole number/],
    ['a count that is none', ['funder-1', '--count', '1.5'], {}, 2, /^--count: must be a whole number/],
    ['no count', ['funder-1'], {}, 2, /--count <N>/],
    ['no account', ['--count', '1'], {}, 2, /ACCOUNT/],
    ['mainnet without spending limits', ['funder-1', '--count', '1'], { NETWORK: 'mainnet' }, 2, /6 settings are missing[\s\S]*LIMIT_FLOW_SHORT is missing[\s\S]*mend:/],
    ['an access node that is not there', ['funder-1', '--count', '1'], { FLOW_ACCESS_NODE: 'http://127.0.0.1:9' }, 1, /^127\.0\.0\.1:9: .*[\s\S]*mend: check FLOW_ACCESS_NODE/],
    ['no settings', ['funder-1', '--count', '1'], { DATABASE_URL: '', NETWORK: '' }, 2, /2 settings are missing[\s\S]*DATABASE_URL[\s\S]*NETWORK/],
  ])('%s is a clear error with its exit status, and adds nothing', async (_, args, settings, code, says) => {
    const before = (await keysOf('funder-1')).length;
    const ended: Ended = await runCommand(['funders', 'add-keys', ...args], { ...env, ...settings });
    expect(ended).toMatchObject({ code, stdout: '', stderr: expect.stringMatching(says) as string });
    expect(await keysOf('funder-1')).toHaveLength(before);
  });

  it('while paused: nothing is sent', async () => {
    await runCommand(['pause'], env);
    expect(await runCommand(['funders', 'add-keys', 'funder-1', '--count', '1', '--json'], env)).toMatchObject({ code: 2, stderr: expect.stringMatching(/"error":"the service is paused.*"mend":"run `wallet-sync resume` first"/) as string });
    await runCommand(['resume'], env);
  });
});

describe('funders list', () => {
  interface Listed {
    funders: { name: string; balance: string | null; low: boolean | null; chain_error: string | null; slots: Record<string, unknown>[]; keys_without_slot: number[] }[];
    slots_of_no_funder: Record<string, unknown>[];
  }
  const list = async (settings: Record<string, string> = {}): Promise<Listed> => JSON.parse((await runCommand(['funders', 'list', '--json'], { ...env, ...settings })).stdout) as Listed;

  /** funder-1 has keys 0 to 3 from the first test. */
  beforeAll(async () => {
    await spend('funder-1', 'transaction { prepare(a: auth(Keys) &Account) { a.keys.revoke(keyIndex: 3); let key = a.keys.get(keyIndex: 0)!; a.keys.add(publicKey: key.publicKey, hashAlgorithm: key.hashAlgorithm, weight: 1000.0) } }');
    const { address } = funder('funder-1');
    const instance = randomUUID();
    await sql("insert into wallet_sync.instance (id, host, pid) values ($1, 'elsewhere', 4711)", [instance]);
    await sql("update wallet_sync.slot set leased_by = $2, lease_until = clock_timestamp() + interval '1 hour', sequence_number = 12 where address = $1 and key_index = 1", [address, instance]);
    await sql("update wallet_sync.slot set out_of_rotation = 'the signature is not valid' where address = $1 and key_index = 2", [address]);
    await sql("insert into wallet_sync.slot (address, key_index) values ($1, 9), ('0x00000000000000aa', 5)", [address]);
  });

  it('shows each slot beside its key on chain, keys without a slot, and slots of nobody', async () => {
    const listed = await list();
    expect(listed.funders.map((each) => each.name)).toEqual(network.funders.map((each) => each.name));
    const [first, ...others] = listed.funders;
    expect(first).toMatchObject({
      balance: expect.stringMatching(/^\d+\.\d{8}$/) as string, low: false, chain_error: null, keys_without_slot: [4],
      slots: [
        { key_index: 0, state: 'free', leased_by: null, transaction: null, key_on_chain: null },
        { key_index: 1, state: 'leased', leased_by: 'elsewhere:4711', sequence_number: 12, key_on_chain: null },
        { key_index: 2, state: 'out-of-rotation', out_of_rotation: 'the signature is not valid', used_at: expect.stringMatching(/^20/) as string, key_on_chain: null },
        { key_index: 3, state: 'free', key_on_chain: 'revoked' },
        { key_index: 9, state: 'free', used_at: null, key_on_chain: 'missing' },
      ],
    });
    expect(others.find((each) => each.name === 'funder-7')).toMatchObject({ low: true });
    expect(listed.slots_of_no_funder).toMatchObject([{ address: '0x00000000000000aa', key_index: 5, state: 'free' }]);
  });

  it('says it in words too, what carries an unsealed transaction among it', async () => {
    holdSends();
    const command = addKeys('funder-2', '1');
    const id = await unsealed('funder-2');
    const { code, stdout } = await runCommand(['funders', 'list'], env);
    letSend();
    await command.ended;
    expect(code).toBe(0);
    expect(stdout).toMatch(/^funder-1 {2}0x[0-9a-f]{16} {2}\d+\.\d{8} FLOW, low-water mark 5\.07000000$/m);
    expect(stdout).toMatch(/^ {2}key {3}1 {2}leased by elsewhere:4711 {2}\(next number 12, used 20.*Z\)$/m);
    expect(stdout).toMatch(/^ {2}key {3}2 {2}out of rotation: the signature is not valid /m);
    expect(stdout).toMatch(/^ {2}key {3}3 {2}free .*; its key on chain is revoked$/m);
    expect(stdout).toMatch(/^ {2}without a slot: keys 4 on chain\./m);
    expect(stdout).toMatch(new RegExp(`^ {2}key {3}\\d {2}carries add-keys ${id.slice(0, 8)}…, unsealed for \\d+ s; leased by [0-9a-f-]{36} `, 'm'));
    expect(stdout).toMatch(/^funder-7 .*below its low-water mark of 5\.07000000: send FLOW to it$/m);
    expect(stdout).toMatch(/^0x00000000000000aa {2}of no funding account here, free \(keys 5\)$/m);
  });

  it.each([
    ['does not answer', { FLOW_ACCESS_NODE: 'http://127.0.0.1:9' }, /127\.0\.0\.1:9/],
    ['is another one', { NETWORK: 'testnet' }, null],
  ])('shows the journal\'s part where the chain %s', async (_, settings, says) => {
    const listed = await list(settings);
    if (says === null) {
      // None of the emulator's accounts is one of testnet: their slots are nobody's.
      expect(listed.funders).toEqual([]);
      expect(listed.slots_of_no_funder.length).toBeGreaterThan(5);
      return;
    }
    expect(listed.funders[0]).toMatchObject({ balance: null, low: null, chain_error: expect.stringMatching(says) as string, keys_without_slot: [] });
    expect(listed.funders[0]!.slots.map((slot) => [slot['key_index'], slot['state'], slot['key_on_chain']])).toEqual([[0, 'free', null], [1, 'leased', null], [2, 'out-of-rotation', null], [3, 'free', null], [9, 'free', null]]);
    const { code, stdout } = await runCommand(['funders', 'list'], { ...env, ...settings });
    expect(code).toBe(0);
    expect(stdout).toMatch(/^funder-1 {2}0x[0-9a-f]{16} {2}balance unknown: 127\.0\.0\.1:9: the access node cannot be reached/m);
  });
});

describe('funders add-keys, beyond the expiry of its transaction', () => {
  // In blocks of 100 ms: a loaded machine takes seconds from the reference block to the broadcast.
  const EXPIRY = 50;
  let short: DaemonWorld;
  let settings: Record<string, string>;
  beforeAll(async () => {
    short = await startDaemonWorld({ funders: 1, transactionExpiry: EXPIRY, blockTimeMs: 100 });
    const all = short.stack.env();
    settings = { ...Object.fromEntries(Object.keys(env).map((name) => [name, all[name] ?? ''])), TRANSACTION_EXPIRY: `${EXPIRY}` };
  });
  afterAll(() => short?.stop());
  afterEach(() => short.stack.accessNode.faults.clear());

  const state = async () => (await short.stack.postgres.query('postgres', 'select (select array_agg(state::text order by created_at) from wallet_sync.transaction) as ends, (select array_agg(key_index order by key_index) from wallet_sync.slot) as slots'))[0];
  const run = (count: number) => runCommand(['funders', 'add-keys', 'funder-1', '--count', `${count}`], settings);

  it('lost on its way for ever: given up, nothing added, and it says so', async () => {
    short.stack.accessNode.faults.dropForEver(1);
    const { code, stdout, stderr } = await run(2);
    expect([code, stdout]).toEqual([1, '']);
    expect(stderr).toMatch(/^funding account funder-1 .*no key was added: no trace of it on chain after its expiry\n {2}mend: /);
    expect(await state()).toEqual({ ends: ['given_up'], slots: [0] });
  });

  it('sealed, but the access node never shows its result: found in the events, and the keys are slots', async () => {
    short.stack.accessNode.faults.pendingForEver(true);
    expect(await run(2)).toMatchObject({ code: 0, stderr: '', stdout: expect.stringContaining('Added 2 keys to funder-1') as string });
    expect(await state()).toEqual({ ends: ['given_up', 'sealed'], slots: [0, 1, 2] });
  });
});

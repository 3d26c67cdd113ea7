import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { startAccessNodeProxy } from '../../dev/accessNodeProxy.js';
import { broadcast, sendAndSeal, sendAndWait } from '../../dev/chain.js';
import { buildTransaction } from '../../src/flow/buildTransaction.js';
import { buildCreateAccounts, readCreatedAccounts, readFee } from '../../src/flow/createAccounts.js';
import { generateKeyPair } from '../../src/flow/keys.js';
import { createLimiter } from '../../src/flow/limiter.js';
import { buildRepairWallet } from '../../src/flow/repairWallet.js';
import { PUBLIC_RATES, startTestChain, strangeSigner, type TestChain } from './chainParts.js';

let chain: TestChain;
beforeAll(async () => void (chain = await startTestChain()));
afterAll(async () => chain?.stop());
afterEach(() => chain.proxy.faults.clear());

const NOTHING = 'transaction { prepare(signer: &Account) {} }';
const SPIN = 'transaction { prepare(signer: &Account) { var i = 0; while true { i = i + 1 } } }';
const UNKNOWN_ID = 'ab'.repeat(32);

async function buildNothing(more: { sequenceNumber?: number; code?: string; reference?: { id: string }; computeLimit?: number } = {}): ReturnType<typeof buildTransaction> {
  const slot = await chain.slot();
  const key = { address: slot.address, keyIndex: 0, signer: chain.funder.signer };
  return buildTransaction({
    cadence: more.code ?? NOTHING,
    args: [],
    reference: more.reference ?? (await chain.reference()),
    proposer: { ...key, sequenceNumber: more.sequenceNumber ?? slot.sequenceNumber },
    payer: key,
    authorizers: [key],
    ...(more.computeLimit === undefined ? {} : { computeLimit: more.computeLimit }),
  });
}

describe('what the chain says of itself', () => {
  it('is its chain id, its latest sealed block and its accounts', async () => {
    expect(await chain.accessNode.chainId()).toBe('flow-emulator');
    const block = await chain.accessNode.latestSealedBlock();
    expect(block.id).toMatch(/^[0-9a-f]{64}$/);
    expect(Math.abs(block.timestamp.getTime() - Date.now())).toBeLessThan(60_000);
    const account = await chain.accessNode.account(chain.funder.address);
    expect(account).toMatchObject({ address: chain.funder.address, balance: expect.any(BigInt) as bigint, keys: [{ index: 0, publicKey: chain.funder.signer.publicKey, weight: 1000, revoked: false, signatureAlgorithm: 'ECDSA_P256', hashAlgorithm: 'SHA3_256' }] });
  });

  it('is null for an address without an account, and an error for one that no account can have', async () => {
    expect(await chain.accessNode.account('0xd47e2a3f590de72e')).toBeNull();
    await expect(chain.accessNode.account('0x0000000000000001')).rejects.toMatchObject({ kind: 'data' });
    await expect(chain.accessNode.account('alice')).rejects.toMatchObject({ kind: 'data' });
  });

  it('keeps balances exact above what a double holds', async () => {
    const account = await chain.accessNode.account(chain.service.address);
    expect(account!.balance > BigInt(Number.MAX_SAFE_INTEGER)).toBe(true);
  });
});

describe('a transaction', () => {
  it('has the id that the chain knows it by before it is sent, with one signer', async () => {
    const transaction = await buildNothing();
    const { events, failed } = await sendAndWait(chain.accessNode, transaction);
    expect(failed).toBeNull();
    expect(readFee(events)).toMatchObject({ amount: expect.any(BigInt) as bigint });
  });

  it('has it also where the wallet proposes and a funder pays, which takes no sequence number of the funder', async () => {
    const wallet = await chain.makeBareWallet();
    const transaction = await buildRepairWallet({
      cadence: chain.cadence,
      wallet: { ...wallet, sequenceNumber: 0 },
      payer: { address: chain.funder.address, keyIndex: 0, signer: chain.funder.signer },
      reference: await chain.reference(),
    });
    const before = await chain.slot();
    expect((await sendAndWait(chain.accessNode, transaction)).failed).toBeNull();
    expect(await chain.slot()).toEqual(before);
  });

  it('can be sent twice, before and after it is sealed, and happens once', async () => {
    const pair = generateKeyPair();
    const slot = await chain.slot();
    const transaction = await buildCreateAccounts({ network: chain.network, cadence: chain.cadence, slot, signer: chain.funder.signer, reference: await chain.reference(), publicKeys: [pair.publicKey], fundingAmount: 10_000_000n });
    await Promise.all([broadcast(chain.accessNode, transaction), broadcast(chain.accessNode, transaction)]);
    const { events } = await sendAndSeal(chain.accessNode, transaction);
    // Of some 25 for an account, those that are read.
    expect(new Set(events.map((event) => event.type.split('.').slice(-2).join('.')))).toEqual(new Set(['flow.AccountKeyAdded', 'FlowToken.TokensWithdrawn', 'FlowToken.TokensDeposited', 'FlowFees.FeesDeducted']));
    await broadcast(chain.accessNode, transaction);
    const block = await chain.accessNode.latestSealedBlock();
    const seen = await chain.accessNode.eventsInRange('flow.AccountKeyAdded', Math.max(0, block.height - 200), block.height);
    const ours = readCreatedAccounts(seen).filter((created) => created.publicKey === pair.publicKey);
    expect(ours).toEqual(readCreatedAccounts(events));
    expect(seen.find((event) => event.txId === transaction.id)?.height).toBeLessThanOrEqual(block.height);
    expect((await chain.slot()).sequenceNumber).toBe(slot.sequenceNumber + 1);
  });

  it('that was never sent is unknown', async () => {
    expect(await chain.accessNode.result(UNKNOWN_ID)).toEqual({ status: 'unknown', failed: null, events: [], blockId: null });
    expect((await chain.accessNode.result((await buildNothing()).id)).status).toBe('unknown');
  });

  it('with a wrong sequence number fails as `sequence`, takes no fee and leaves the number', async () => {
    const { sequenceNumber } = await chain.slot();
    const result = await sendAndWait(chain.accessNode, await buildNothing({ sequenceNumber: sequenceNumber + 7 }));
    expect(result.failed?.kind).toBe('sequence');
    expect(readFee(result.events)).toBeNull();
    expect((await chain.slot()).sequenceNumber).toBe(sequenceNumber);
  });

  it('that computes too much fails as `computation` and raises the number', async () => {
    const { sequenceNumber } = await chain.slot();
    const result = await sendAndWait(chain.accessNode, await buildNothing({ code: SPIN }));
    expect(result.failed?.kind).toBe('computation');
    expect(readFee(result.events)).not.toBeNull();
    expect((await chain.slot()).sequenceNumber).toBe(sequenceNumber + 1);
  });

  it('signed with a key that is not the account\'s fails as `data`', async () => {
    const slot = await chain.slot();
    const key = { address: slot.address, keyIndex: 0, signer: strangeSigner() };
    const transaction = await buildTransaction({ cadence: NOTHING, args: [], reference: await chain.reference(), proposer: { ...key, sequenceNumber: slot.sequenceNumber }, payer: key, authorizers: [key] });
    expect((await sendAndWait(chain.accessNode, transaction)).failed?.kind).toBe('data');
  });

  it('that panics fails as `chain-state` with the chain\'s words', async () => {
    const result = await sendAndWait(chain.accessNode, await buildNothing({ code: 'transaction { prepare(signer: &Account) { panic("as asked") } }' }));
    expect(result.failed).toMatchObject({ kind: 'chain-state', message: expect.stringContaining('as asked') as string });
  });

  it('with an unknown reference block is refused as `network`: another node may know it', async () => {
    await expect(chain.accessNode.send(await buildNothing({ reference: { id: UNKNOWN_ID } }))).rejects.toMatchObject({ kind: 'network' });
  });
});

describe('a script', () => {
  it('gives its answer as plain values', async () => {
    const answer = await chain.accessNode.script('access(all) fun main(a: UFix64, b: [Int]): {String: AnyStruct} { return {"a": a, "b": b, "none": nil as Int?} }', [
      { type: 'UFix64', value: '1.50000000' },
      { type: 'Array', value: [{ type: 'Int', value: '12345678901234567890' }] },
    ]);
    expect(answer).toEqual({ a: '1.50000000', b: ['12345678901234567890'], none: null });
  });

  it.each([
    ['that panics', 'access(all) fun main() { panic("no") }', 'chain-state'],
    ['that never ends', 'access(all) fun main() { while true {} }', 'computation'],
    ['that is no Cadence', 'hello', 'chain-state'],
  ])('%s is a classified error', async (_, code, kind) => {
    await expect(chain.accessNode.script(code, [])).rejects.toMatchObject({ kind });
  });
});

describe('events', () => {
  it('are asked for in ranges of at most 250 blocks', async () => {
    await expect(chain.accessNode.eventsInRange('flow.AccountCreated', 0, 250)).rejects.toMatchObject({ kind: 'internal' });
    await expect(chain.accessNode.eventsInRange('flow.AccountCreated', 5, 4)).rejects.toMatchObject({ kind: 'internal' });
    const { height } = await chain.accessNode.latestSealedBlock();
    const events = await chain.accessNode.eventsInRange('flow.AccountCreated', Math.max(0, height - 249), height);
    expect(events.length).toBeGreaterThan(0);
  });
});

describe('the public limits', () => {
  it('are never hit in normal running: 12 scripts, 120 events and 300 reads at once, and no 429', async () => {
    const proxy = await startAccessNodeProxy({ target: chain.emulator.restUrl });
    const node = chain.connect({ url: proxy.url, limiter: createLimiter(PUBLIC_RATES), timeoutMs: 60_000 });
    try {
      await Promise.all([
        ...Array.from({ length: 12 }, () => node.script('access(all) fun main(): Int { return 1 }', [])),
        ...Array.from({ length: 120 }, () => node.eventsInRange('flow.AccountCreated', 0, 0)),
        ...Array.from({ length: 300 }, () => node.result(UNKNOWN_ID)),
      ]);
      expect(proxy.stats()).toEqual({
        script: { calls: 12, refused: 0 },
        transaction: { calls: 0, refused: 0 },
        event: { calls: 120, refused: 0 },
        read: { calls: 300, refused: 0 },
      });
    } finally {
      await proxy.stop();
    }
  });

  it('a 429 is a rate-limit error, and slows every call of its kind', async () => {
    const proxy = await startAccessNodeProxy({ target: chain.emulator.restUrl, limits: { read: 0.01 } });
    const node = chain.connect({ url: proxy.url, limiter: createLimiter(PUBLIC_RATES) });
    try {
      await node.result(UNKNOWN_ID);
      await expect(node.result(UNKNOWN_ID)).rejects.toMatchObject({ kind: 'rate-limit' });
      const asked = performance.now();
      await expect(node.result(UNKNOWN_ID)).rejects.toMatchObject({ kind: 'rate-limit' });
      expect(performance.now() - asked).toBeGreaterThan(900);
      expect(proxy.stats().read).toEqual({ calls: 3, refused: 2 });
      await expect(node.script('access(all) fun main(): Int { return 1 }', [])).resolves.toBe('1');
    } finally {
      await proxy.stop();
    }
  });
});

describe('a bad network', () => {
  const node = (): ReturnType<TestChain['connect']> => chain.connect({ timeoutMs: 300, limiter: createLimiter(PUBLIC_RATES) });

  it('no answer in time is `network`', async () => {
    chain.proxy.faults.hang(1);
    await expect(node().latestSealedBlock()).rejects.toMatchObject({ kind: 'network', message: expect.stringContaining('in time') as string });
  });

  it('a cut connection is `network`, and so is 503', async () => {
    chain.proxy.faults.cut(1);
    await expect(node().latestSealedBlock()).rejects.toMatchObject({ kind: 'network' });
    chain.proxy.faults.answer(503);
    await expect(node().latestSealedBlock()).rejects.toMatchObject({ kind: 'network' });
    await expect(node().latestSealedBlock()).resolves.toMatchObject({ height: expect.any(Number) as number });
  });

  it('a node that nobody runs is `network`', async () => {
    await expect(chain.connect({ url: 'http://127.0.0.1:1' }).chainId()).rejects.toMatchObject({ kind: 'network' });
  });

  it('an answer that is no access node\'s is `data`', async () => {
    chain.proxy.faults.answer(200, 1, 'read', 'hello');
    await expect(node().chainId()).rejects.toMatchObject({ kind: 'data' });
  });

  it('a lost answer does not lose the transaction: its result is found by the id, and sending again is harmless', async () => {
    const transaction = await buildNothing();
    chain.proxy.faults.dropAnswerAfterDelivery(1, 'transaction');
    await expect(chain.accessNode.send(transaction)).rejects.toMatchObject({ kind: 'network' });
    expect((await sendAndWait(chain.accessNode, transaction)).failed).toBeNull();
  });

  it('a closed client refuses, and ends calls in flight', async () => {
    const closing = chain.connect({ timeoutMs: 60_000 });
    chain.proxy.faults.hang(1);
    const call = closing.chainId();
    const stats = (): number => chain.proxy.stats().read.calls;
    const before = stats();
    await expect.poll(stats).toBeGreaterThan(before);
    closing.close();
    await expect(call).rejects.toMatchObject({ kind: 'network' });
    await expect(closing.chainId()).rejects.toMatchObject({ kind: 'network' });
  });
});

it.each(['', 'grpc://node:9000', 'access.mainnet.nodes.onflow.org:9000', 'not a url'])('%j is refused as the URL of an access node', (url) => {
  expect(() => chain.connect({ url })).toThrow(expect.objectContaining({ kind: 'usage' }));
});

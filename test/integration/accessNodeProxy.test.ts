import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { startAccessNodeProxy } from '../../dev/accessNodeProxy.js';
import { broadcast, sendAndWait } from '../../dev/chain.js';
import type { AccessNode } from '../../src/flow/accessNode.js';
import { buildTransaction, type SignedTransaction } from '../../src/flow/buildTransaction.js';
import type { CallKind } from '../../src/flow/limiter.js';
import { startTestChain, type TestChain } from './chainParts.js';

const PATIENCE = { timeout: 30_000 };

let chain: TestChain;
/** The emulator itself, past the proxy. */
let direct: AccessNode;
beforeAll(async () => {
  chain = await startTestChain({ blockTimeMs: 100 });
  direct = chain.connect({ url: chain.emulator.restUrl });
});
afterEach(() => chain.proxy.faults.clear());
afterAll(() => chain.stop());

const NOTHING = 'transaction { prepare(signer: &Account) {} }';
const UNKNOWN_ID = 'ab'.repeat(32);

async function buildNothing(sequenceOffset = 0): Promise<SignedTransaction> {
  const slot = await chain.slot();
  const key = { address: slot.address, keyIndex: slot.keyIndex, signer: chain.funder.signer };
  return buildTransaction({ cadence: NOTHING, args: [], reference: await chain.reference(), proposer: { ...key, sequenceNumber: slot.sequenceNumber + sequenceOffset }, payer: key, authorizers: [key] });
}

const post = (transaction: SignedTransaction, url = chain.proxy.url): Promise<Response> =>
  fetch(`${url}/v1/transactions`, { method: 'POST', body: transaction.body, headers: { 'content-type': 'application/json' } });
const get = async (path: string, url = chain.proxy.url): Promise<unknown> => (await fetch(url + path)).json();

/** Whether it has not come to its end while the node itself answered ten times. */
async function isOpen(promise: Promise<unknown>): Promise<boolean> {
  const ended = promise.then(() => false, () => false);
  for (let i = 0; i < 10; i++) await direct.latestSealedBlock();
  return Promise.race([ended, Promise.resolve(true)]);
}

/** A block later, whatever was delivered before it would be in the chain. */
async function anotherSeals(): Promise<void> {
  await chain.run(NOTHING, [], chain.service);
}

const CALLS: Readonly<Record<CallKind, [string, RequestInit?]>> = {
  script: ['/v1/scripts', { method: 'POST', body: '{}' }],
  transaction: ['/v1/transactions', { method: 'POST', body: '{}' }],
  event: ['/v1/events?type=flow.AccountCreated&start_height=0&end_height=0'],
  read: ['/v1/network/parameters'],
};

it.each(Object.entries(CALLS))('any status is given to a %s call once, and to no other kind', async (kind, [path, init]) => {
  const proxy = await startAccessNodeProxy({ target: chain.emulator.restUrl, limits: { script: 100 } });
  try {
    for (const status of [429, 500, 503, 504]) {
      proxy.faults.answer(status, 1, kind as CallKind);
      for (const [other, [otherPath, otherInit]] of Object.entries(CALLS)) if (other !== kind) expect((await fetch(proxy.url + otherPath, otherInit)).status).not.toBe(status);
      const refused = await fetch(proxy.url + path, init);
      expect([refused.status, await refused.json()]).toEqual([status, { code: status, message: `fault: ${status}` }]);
      expect((await fetch(proxy.url + path, init)).status).not.toBe(status);
    }
  } finally {
    await proxy.stop();
  }
});

describe('a broadcast', () => {
  it('that is swallowed is answered as the emulator answers, does not arrive, and arrives when it is sent again', async () => {
    const transaction = await buildNothing();
    chain.proxy.faults.swallow(1);
    const swallowed = await post(transaction);
    await anotherSeals();
    expect((await direct.result(transaction.id)).status).toBe('unknown');
    // The emulator refuses while it executes a block.
    let real = await post(transaction);
    while (real.status !== 200) real = await post(transaction);
    expect(await swallowed.json()).toEqual(await real.json());
    expect([swallowed.status, swallowed.headers.get('content-type')]).toEqual([real.status, real.headers.get('content-type')]);
    expect((await sendAndWait(direct, transaction)).failed).toBeNull();
  });

  it('of a transaction dropped for ever never arrives, however often it is sent, while others do', async () => {
    const sentBefore = await buildNothing();
    await broadcast(chain.accessNode, sentBefore);
    chain.proxy.faults.dropForEver(1);
    expect((await sendAndWait(chain.accessNode, sentBefore)).failed).toBeNull();
    const dropped = await buildNothing(1);
    for (let i = 0; i < 3; i++) await chain.accessNode.send(dropped);
    const other = await buildNothing();
    expect((await sendAndWait(chain.accessNode, other)).failed).toBeNull();
    await chain.accessNode.send(dropped);
    await anotherSeals();
    expect((await direct.result(dropped.id)).status).toBe('unknown');
    chain.proxy.faults.clear();
    expect((await sendAndWait(chain.accessNode, dropped)).failed).toBeNull();
  });

  it('that is duplicated is delivered twice, and its answer is that to the first', async () => {
    const outer = await startAccessNodeProxy({ target: chain.proxy.url });
    try {
      const before = chain.proxy.stats().transaction.calls;
      outer.faults.duplicate(1);
      chain.proxy.faults.answer(503, 1, 'transaction');
      expect((await post(await buildNothing(), outer.url)).status).toBe(503);
      expect(chain.proxy.stats().transaction.calls).toBe(before + 2);
      await post(await buildNothing(), outer.url);
      expect(chain.proxy.stats().transaction.calls).toBe(before + 3);
    } finally {
      await outer.stop();
    }
  });
});

it('a result that is pending for ever is answered as that of an unknown transaction though it is sealed', async () => {
  const transaction = await buildNothing();
  await sendAndWait(direct, transaction);
  chain.proxy.faults.pendingForEver(true);
  expect((await chain.accessNode.result(transaction.id)).status).toBe('unknown');
  expect(await get(`/v1/transaction_results/${UNKNOWN_ID}`)).toEqual(await get(`/v1/transaction_results/${UNKNOWN_ID}`, chain.emulator.restUrl));
  chain.proxy.faults.pendingForEver(false);
  expect((await chain.accessNode.result(transaction.id)).status).toBe('sealed');
});

describe('a node that lags behind the one that tells the sealed height', () => {
  const LAG = 12;
  const heights = (blocks: unknown): number[] => (blocks as { block_height: string }[]).map((block) => Number(block.block_height));
  const range = (from: number, to: number): string => `/v1/events?type=flow.AccountCreated&start_height=${from}&end_height=${to}`;

  it('knows a sealed result only when it has reached its block', async () => {
    const transaction = await buildNothing();
    const { blockId } = await sendAndWait(direct, transaction);
    const [block] = (await get(`/v1/blocks/${blockId ?? ''}`)) as [{ header: { height: string } }];
    chain.proxy.faults.lag(LAG);
    expect((await chain.accessNode.result(transaction.id)).status).toBe('unknown');
    expect((await chain.accessNode.latestSealedBlock()).height).toBeGreaterThanOrEqual(Number(block.header.height));
    await expect.poll(async () => (await chain.accessNode.result(transaction.id)).status, PATIENCE).toBe('sealed');
    expect((await direct.latestSealedBlock()).height).toBeGreaterThanOrEqual(Number(block.header.height) + LAG);
  });

  it('cuts a range of events at its height without a word, and refuses one that lies above', async () => {
    await expect.poll(async () => (await direct.latestSealedBlock()).height, PATIENCE).toBeGreaterThan(2 * LAG);
    chain.proxy.faults.lag(LAG);
    const { height: before } = await direct.latestSealedBlock();
    const cut = heights(await get(range(before - 2 * LAG, before)));
    const { height: after } = await direct.latestSealedBlock();
    expect(cut[0]).toBe(before - 2 * LAG);
    expect(cut.at(-1)).toBeGreaterThanOrEqual(before - LAG);
    expect(cut.at(-1)).toBeLessThanOrEqual(Math.min(before, after - LAG));
    expect(await get(range(after + 1, after + 2))).toMatchObject({ code: 400, message: expect.stringMatching(/^Out of range: start height/) as string });
  });

  it('differs from the emulator itself, which has an entry for each block of the range, cuts it at its head, and gives nothing above', async () => {
    const { height } = await direct.latestSealedBlock();
    expect(heights(await get(range(height - 5, height)))).toEqual([5, 4, 3, 2, 1, 0].map((back) => height - back));
    const cut = heights(await get(range(height, height + 200)));
    expect(cut[0]).toBe(height);
    expect(cut.at(-1)).toBeLessThan(height + 200);
    expect(heights(await get(range(height + 5_000, height + 5_001)))).toEqual([]);
  });
});

describe('held answers', () => {
  it('keep the caller waiting while the call has taken effect, until they are released', async () => {
    const transaction = await buildNothing();
    const hold = chain.proxy.faults.holdAnswers('transaction');
    const sending = broadcast(chain.accessNode, transaction);
    await hold.delivered;
    await expect.poll(async () => (await direct.result(transaction.id)).status, PATIENCE).toBe('sealed');
    expect(await isOpen(sending)).toBe(true);
    await expect(chain.accessNode.chainId()).resolves.toBe('flow-emulator');
    hold.release();
    await sending;
  });

  it('are given to nobody where the caller has left, and the proxy works on', async () => {
    const hold = chain.proxy.faults.holdAnswers();
    const leaving = new AbortController();
    const call = fetch(`${chain.proxy.url}/v1/network/parameters`, { signal: leaving.signal });
    await hold.delivered;
    leaving.abort();
    await expect(call).rejects.toThrow();
    hold.release();
    await expect(chain.accessNode.chainId()).resolves.toBe('flow-emulator');
  });
});

it('a frozen node takes calls, delivers and answers nothing, and goes on with all of it when released, also for a caller who has left', async () => {
  const outer = await startAccessNodeProxy({ target: chain.proxy.url });
  try {
    const delivered = (): number => chain.proxy.stats().transaction.calls + chain.proxy.stats().read.calls;
    const taken = (): number => outer.stats().transaction.calls + outer.stats().read.calls;
    const before = delivered();
    outer.faults.freeze(true);
    const read = fetch(`${outer.url}/v1/network/parameters`);
    const leaving = new AbortController();
    const sending = fetch(`${outer.url}/v1/transactions`, { method: 'POST', body: '{}', signal: leaving.signal });
    await expect.poll(taken, PATIENCE).toBe(2);
    expect(await isOpen(read)).toBe(true);
    leaving.abort();
    await expect(sending).rejects.toThrow();
    expect(delivered()).toBe(before);
    outer.faults.freeze(false);
    expect((await read).status).toBe(200);
    await expect.poll(delivered, PATIENCE).toBe(before + 2);
  } finally {
    await outer.stop();
  }
});

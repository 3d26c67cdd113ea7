import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { createSimulatedChain, type SimulatedChain } from '../../dev/simulatedChain.js';
import { NO_FAULTS } from '../../src/faultPoints.js';
import type { AccessNode } from '../../src/flow/accessNode.js';
import { parseAmount } from '../../src/flow/amount.js';
import { loadCadence } from '../../src/flow/cadence.js';
import { buildCreateAccounts } from '../../src/flow/createAccounts.js';
import { generateKeyPair } from '../../src/flow/keys.js';
import { createSigner } from '../../src/flow/sign.js';
import { createFollower, type TransactionFollower } from '../../src/handlers/followTransactions.js';
import type { Sender } from '../../src/handlers/instance.js';
import type { Settler } from '../../src/handlers/settler.js';
import { createStatistics } from '../../src/handlers/statistics.js';
import type { LiveTransaction } from '../../src/journal/transactions.js';
import { createLog } from '../../src/log.js';

const network = { name: 'emulator' as const, contracts: { FlowToken: '0x0ae53cb6e3f42a79', FungibleToken: '0xee82856bf20e2aa6', BaitCoin: '0xf8d6e0586b0a20c7' } };
const cadence = loadCadence(network);
const key = generateKeyPair();
const signer = createSigner({ privateKey: key.privateKey, signatureAlgorithm: 'ECDSA_P256', hashAlgorithm: 'SHA3_256' });

let chain: SimulatedChain;
let node: AccessNode;
let follower: TransactionFollower;
/** What has settled, with the height that was told of it. */
let settled: Map<string, number>;
/** Results of these are asked for and not answered. */
let silent: Set<string>;
let isAsked: boolean;
let heightsAsked: number;

beforeEach(() => {
  chain = createSimulatedChain({ network, cadence, expiryBlocks: 600, sealBlocks: 1, now: Date.now });
  settled = new Map();
  silent = new Set();
  isAsked = false;
  heightsAsked = 0;
  const inner = chain.connect('node');
  node = {
    ...inner,
    result: (txId) => (silent.has(txId) ? new Promise(() => (isAsked = true)) : inner.result(txId)),
    heightOf: (blockId) => ((heightsAsked += 1), inner.heightOf(blockId)),
  };
  const settler: Settler = {
    sealed: (transaction, _events, height) => Promise.resolve(settled.set(transaction.id, height) !== undefined),
    failed: () => Promise.reject(new Error('it did not fail')),
    giveUp: () => Promise.reject(new Error('it has not expired')),
  };
  const sender = { settings: { TRANSACTION_EXPIRY: 600 }, node, log: createLog({ level: 'silent' }), statistics: createStatistics(), faultPoints: NO_FAULTS, now: Date.now } as unknown as Sender;
  follower = createFollower(sender, { create: settler, fund: settler, repair: settler, 'add-keys': settler }, { maySend: () => true, onSettled: () => undefined, everyMs: 1 });
});
afterEach(() => follower.stop());

/** A creation of one account by a funder of its own, followed and broadcast. */
async function follow(): Promise<string> {
  const address = chain.addAccount([key.publicKey], parseAmount('100'));
  const reference = await node.latestSealedBlock();
  const slot = { address, keyIndex: 0, sequenceNumber: 0 };
  const signed = await buildCreateAccounts({ network, cadence, slot, signer, reference, publicKeys: [generateKeyPair().publicKey], fundingAmount: parseAmount('0.1') });
  const live: LiveTransaction = { ...signed, kind: 'create', slot: { ...slot, epoch: 1 }, referenceHeight: reference.height, expiryBlocks: 600, createdAt: new Date(), instance: randomUUID() } as unknown as LiveTransaction;
  follower.follow(live);
  await vi.waitUntil(() => chain.fateOf(signed.id) !== undefined);
  return signed.id;
}

it('a result that is long in coming delays no other transaction', async () => {
  const slow = await follow();
  silent.add(slow);
  chain.advance(3);
  await vi.waitUntil(() => isAsked);
  const other = await follow();
  chain.advance(3);
  await vi.waitUntil(() => settled.has(other));
  expect(follower.unsettled()).toEqual([slow]);
});

it('the height of a block that was the latest is not asked for, that of another one is', async () => {
  const id = await follow();
  // Block by block: each of them is seen as the latest one.
  for (let block = 0; block < 6 && !settled.has(id); block += 1) {
    chain.advance(1);
    const seen = chain.sealedHeight();
    await vi.waitUntil(async () => (await follower.referenceBlock()).height === seen || settled.has(id));
    await follower.poll();
  }
  await vi.waitUntil(() => settled.has(id));
  expect(heightsAsked).toBe(0);
  const late = await follow();
  chain.advance(50);
  await vi.waitUntil(() => settled.has(late));
  expect(heightsAsked).toBe(1);
  expect(settled.get(late)).toBeLessThan(chain.sealedHeight());
});

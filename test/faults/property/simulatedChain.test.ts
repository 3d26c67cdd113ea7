import { beforeEach, describe, expect, it } from 'vitest';
import { createSimulatedChain, type SimulatedChain } from '../../../dev/simulatedChain.js';
import type { SimulatedNode } from '../../../dev/simulatedChain/node.js';
import { parseAmount } from '../../../src/flow/amount.js';
import type { SignedTransaction } from '../../../src/flow/buildTransaction.js';
import { loadCadence } from '../../../src/flow/cadence.js';
import { buildCreateAccounts, readCreatedAccounts, readFee } from '../../../src/flow/createAccounts.js';
import { buildFundWallets, readDeposits } from '../../../src/flow/fundWallets.js';
import { generateKeyPair } from '../../../src/flow/keys.js';
import { createSigner } from '../../../src/flow/sign.js';

/** What was measured on the emulator (test/integration/accessNode.test.ts) holds on the simulated chain too. */

const network = { name: 'emulator' as const, contracts: { FlowToken: '0x0ae53cb6e3f42a79', FungibleToken: '0xee82856bf20e2aa6', BaitCoin: '0xf8d6e0586b0a20c7' } };
const cadence = loadCadence(network);
const key = generateKeyPair();
const signer = createSigner({ privateKey: key.privateKey, signatureAlgorithm: 'ECDSA_P256', hashAlgorithm: 'SHA3_256' });
const AMOUNT = parseAmount('0.1');

let chain: SimulatedChain;
let node: SimulatedNode;
let address: string;
beforeEach(() => {
  chain = createSimulatedChain({ network, cadence, expiryBlocks: 30, sealBlocks: 2, now: () => 0 });
  address = chain.addAccount([key.publicKey], parseAmount('100'));
  node = chain.connect('node');
});

async function create(members: number, more: { sequenceNumber?: number } = {}): Promise<SignedTransaction & { publicKeys: string[] }> {
  const publicKeys = Array.from({ length: members }, () => generateKeyPair().publicKey);
  const account = await node.account(address);
  const sequenceNumber = more.sequenceNumber ?? account?.keys[0]?.sequenceNumber ?? 0;
  const transaction = await buildCreateAccounts({ network, cadence, slot: { address, keyIndex: 0, sequenceNumber }, signer, reference: await node.latestSealedBlock(), publicKeys, fundingAmount: AMOUNT });
  return { ...transaction, publicKeys };
}

const sequenceNumber = () => chain.account(address)?.keys[0]?.sequenceNumber;

async function seal(transaction: SignedTransaction) {
  await node.send(transaction);
  chain.advance(3);
  return node.result(transaction.id);
}

describe('a transaction', () => {
  it('makes accounts with the keys that it names, their FLOW, and a fee that grows with them, and shows events as the chain does', async () => {
    const transaction = await create(3);
    const { status, failed, events, blockId } = await seal(transaction);
    expect({ status, failed }).toEqual({ status: 'sealed', failed: null });
    const created = readCreatedAccounts(events);
    expect(created.map((account) => account.publicKey)).toEqual(transaction.publicKeys);
    expect((await node.account(created[0]!.address))?.balance).toBe(AMOUNT + parseAmount('0.001'));
    expect(readFee(events)).toMatchObject({ executionEffort: 30 + 3 * 324 });
    expect(readDeposits(events, network)).toContainEqual({ address: created[0]!.address, amount: AMOUNT });
    const height = await node.heightOf(blockId!);
    expect(readCreatedAccounts(await node.eventsInRange('flow.AccountKeyAdded', height, height))).toEqual(created);
  });

  it('is executed in a later block and shown as sealed once that is, and happens once however often it is sent', async () => {
    const transaction = await create(1);
    expect((await node.result(transaction.id)).status).toBe('unknown');
    await node.send(transaction);
    await node.send(transaction);
    chain.advance(2);
    expect((await node.result(transaction.id)).status).toBe('pending');
    chain.advance(1);
    expect((await node.result(transaction.id)).status).toBe('sealed');
    await node.send(transaction);
    chain.advance(3);
    expect(chain.ledger.executed.length).toBe(1);
    expect(chain.ledger.sends.length).toBe(3);
  });

  it('with a wrong sequence number fails without a fee and leaves the number', async () => {
    const result = await seal(await create(1, { sequenceNumber: 7 }));
    expect([result.status, result.failed?.kind, readFee(result.events), sequenceNumber()]).toEqual(['sealed', 'sequence', null, 0]);
  });

  it('that computes too much reverts, pays and raises the number', async () => {
    chain.setEffortPerAccount(3_000);
    const result = await seal(await create(4));
    expect([result.failed?.kind, readCreatedAccounts(result.events), sequenceNumber()]).toEqual(['computation', [], 1]);
    expect(readFee(result.events)?.executionEffort).toBe(9_999);
  });

  it('with a bad key fails whole, and without it succeeds', async () => {
    chain.poison(1);
    const transaction = await create(3);
    expect((await seal(transaction)).failed?.kind).toBe('chain-state');
    expect(transaction.publicKeys.map((publicKey) => chain.isBadKey(publicKey))).toEqual([false, true, false]);
    expect((await seal(await create(2))).failed).toBeNull();
  });

  it('that its payer cannot pay fails as funds', async () => {
    chain.setBalance(address, parseAmount('0.15'));
    expect((await seal(await create(2))).failed?.kind).toBe('funds');
    chain.setBalance(address, 0n);
    expect((await seal(await create(1))).failed?.kind).toBe('funds');
  });

  it('never seals once its reference block is too old, and is refused then', async () => {
    const transaction = await create(1);
    chain.planSend({ name: 'dropped' });
    await node.send(transaction);
    expect(chain.fateOf(transaction.id)).toBe('open');
    chain.advance(31);
    expect(chain.fateOf(transaction.id)).toBe('dead');
    expect((await node.result(transaction.id)).status).toBe('expired');
    await expect(node.send(transaction)).rejects.toMatchObject({ kind: 'expired' });
  });

  it('that funds wallets deposits, and passes over an address without an account', async () => {
    const wallet = chain.addAccount([generateKeyPair().publicKey], 0n);
    const stranger = '0xd47e2a3f590de72e';
    const deposits = [wallet, stranger].map((each) => ({ address: each, amount: AMOUNT }));
    const transaction = await buildFundWallets({ network, cadence, slot: { address, keyIndex: 0, sequenceNumber: 0 }, signer, reference: await node.latestSealedBlock(), deposits });
    const { events } = await seal(transaction);
    expect(readDeposits(events, network)).toEqual([{ address: wallet, amount: AMOUNT }]);
    expect(chain.ledger.executed.at(-1)?.deposits).toEqual([{ address: wallet, amount: AMOUNT, balanceBefore: 0n }]);
  });
});

describe('a fault', () => {
  it.each([
    ['answer lost', true],
    ['refused', false],
  ] as const)('%s looks the same to the sender; taken: %s', async (name, taken) => {
    chain.planSend({ name });
    const transaction = await create(1);
    await expect(node.send(transaction)).rejects.toMatchObject({ kind: 'network' });
    chain.advance(3);
    expect((await node.result(transaction.id)).status).toBe(taken ? 'sealed' : 'unknown');
  });

  it('hides a result, or its events too, until faults are ended', async () => {
    chain.planSend({ name: 'hidden' });
    const { status } = await seal(await create(1));
    const [executed] = chain.ledger.executed;
    const seen = () => node.eventsInRange('flow.AccountKeyAdded', executed!.height, executed!.height);
    expect([status, (await seen()).length]).toEqual(['pending', 0]);
    chain.clearFaults();
    expect([(await node.result(executed!.transaction.id)).status, (await seen()).length]).toEqual(['sealed', 1]);
  });

  it('makes one node lag behind its own sealed height, and refuse what it does not know', async () => {
    const transaction = await create(1);
    await node.send(transaction);
    chain.advance(5);
    node.faults.lag = 4;
    const { height } = await node.latestSealedBlock();
    expect((await node.result(transaction.id)).status).toBe('pending');
    await expect(node.eventsInRange('flow.AccountKeyAdded', height, height)).rejects.toMatchObject({ kind: 'network' });
    expect((await chain.connect('other').result(transaction.id)).status).toBe('sealed');
  });
});

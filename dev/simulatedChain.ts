import { createHash } from 'node:crypto';
import { AppError } from '../src/errors.js';
import type { Block, ChainAccount } from '../src/flow/accessNode.js';
import type { SignedTransaction } from '../src/flow/buildTransaction.js';
import type { Cadence } from '../src/flow/cadence.js';
import type { Network } from '../src/flow/network.js';
import { createAccounts, MINIMUM_BALANCE } from './simulatedChain/accounts.js';
import { decodeTransaction, type DecodedTransaction } from './simulatedChain/decodeTransaction.js';
import { createEvents } from './simulatedChain/events.js';
import { execute } from './simulatedChain/execute.js';
import type { ExecutedTransaction, Fate, Ledger, Send } from './simulatedChain/ledger.js';
import { createNode, type ChainView, type SimulatedNode } from './simulatedChain/node.js';
import type { SendFault } from './simulatedChain/sendFaults.js';

export interface SimulatedChainOptions {
  readonly network: Pick<Network, 'contracts'>;
  readonly cadence: Cadence;
  /** Blocks after its reference block in which a transaction can be executed. */
  readonly expiryBlocks: number;
  /** Blocks from execution to seal. */
  readonly sealBlocks: number;
  /** Milliseconds since 1970, for the blocks' timestamps. */
  readonly now: () => number;
  /** Called with each broadcast before the chain looks at it. What it throws goes to the sender. */
  readonly onSend?: (transaction: DecodedTransaction, by: string) => Promise<void>;
}

/**
 * A chain in this process, true to what was measured on the emulator as far as this package's transactions go: blocks come only
 * when told, a transaction is executed in a later block, once, or never. It runs no Cadence and checks no signature.
 */
export interface SimulatedChain {
  readonly ledger: Ledger;
  /** An access node of this chain with faults of its own. */
  connect(name: string): SimulatedNode;
  /** Makes so many blocks. */
  advance(blocks: number): void;
  /** The newest block. */
  height(): number;
  sealedHeight(): number;
  /** An account that the chain starts with: as many keys as public keys. Returns its address. */
  addAccount(publicKeys: readonly string[], balance: bigint): string;
  account(address: string): ChainAccount | null;
  /** What can still become of a transaction that was sent; undefined where none of that id was. */
  fateOf(txId: string): Fate | undefined;
  /** Orders a fault for the next transaction that is sent for the first time; several are used up in their order. */
  planSend(fault: SendFault): void;
  /** The next creation has a key, its member number `member` (counted round), that no creation can be made with. */
  poison(member: number): void;
  /** Whether no creation can be made with this key. */
  isBadKey(publicKey: string): boolean;
  /** Computation of one account of a creation from now on; 324 to begin with. */
  setEffortPerAccount(effort: number): void;
  /** Another program signs with this key: its sequence number rises. */
  signOutside(address: string, keyIndex: number): void;
  /** Sets an account's balance, in 10^-8 FLOW: its owner spends, or somebody sends it FLOW. */
  setBalance(address: string, balance: bigint): void;
  /** Ends what was ordered: what was hidden is shown. Bad keys stay bad, and what was dropped is lost. */
  clearFaults(): void;
}

/** Above 0, so that a node that lags shows blocks too. */
const FIRST_HEIGHT = 1_000;
const EFFORT_PER_ACCOUNT = 324;

interface Known {
  readonly transaction: DecodedTransaction;
  readonly referenceHeight: number;
  /** The first block that may execute it. */
  fromHeight: number;
}

/** Makes a chain with no accounts, at block 1,000. */
export function createSimulatedChain(options: SimulatedChainOptions): SimulatedChain {
  const { cadence, expiryBlocks } = options;
  const accounts = createAccounts();
  const events = createEvents(options.network.contracts);
  const sends: Send[] = [];
  const executed: ExecutedTransaction[] = [];
  const executedById = new Map<string, ExecutedTransaction>();
  const byHeight = new Map<number, ExecutedTransaction[]>();
  /** Whatever the network has taken, by id. */
  const known = new Map<string, Known>();
  const dropped = new Set<string>();
  const hidden = { result: new Set<string>(), events: new Set<string>() };
  const badKeys = new Set<string>();
  const timestamps: Date[] = [];
  let planned: SendFault[] = [];
  let poisons: number[] = [];
  let effortPerAccount = EFFORT_PER_ACCOUNT;
  let height = FIRST_HEIGHT;

  const sealedHeight = (): number => height - options.sealBlocks;
  const blockId = (at: number): string => createHash('sha256').update(`block ${at}`).digest('hex');
  const heights = new Map(Array.from({ length: FIRST_HEIGHT + 1 }, (_, at) => [blockId(at), at]));
  const expiresAfter = (each: Known): number => each.referenceHeight + expiryBlocks;

  const makeBlock = (): void => {
    height += 1;
    heights.set(blockId(height), height);
    timestamps[height] = new Date(options.now());
    const block: ExecutedTransaction[] = [];
    // In the order of their ids, which is as good as any: the collections of a block are not ordered.
    const due = [...known.values()].filter((each) => !executedById.has(each.transaction.id) && !dropped.has(each.transaction.id) && each.fromHeight <= height && height <= expiresAfter(each));
    for (const { transaction } of due.sort((a, b) => (a.transaction.id < b.transaction.id ? -1 : 1))) {
      applyPoison(transaction);
      const done = { transaction, height, ...execute(transaction, height, { accounts, events, conditions: { effortPerAccount, badKeys } }) };
      block.push(done);
      executed.push(done);
      executedById.set(transaction.id, done);
    }
    byHeight.set(height, block);
  };

  const applyPoison = ({ action }: DecodedTransaction): void => {
    if (action.name !== 'createWallets' || action.publicKeys.some((publicKey) => badKeys.has(publicKey))) return;
    const member = poisons.shift();
    const publicKey = member === undefined ? undefined : action.publicKeys[member % action.publicKeys.length];
    if (publicKey !== undefined) badKeys.add(publicKey);
  };

  const take = async (signed: SignedTransaction, by: string): Promise<void> => {
    const transaction = await decodeTransaction(signed, cadence);
    await options.onSend?.(transaction, by);
    const note = (taken: boolean): void => void sends.push({ transaction, by, height, taken });
    const referenceHeight = heights.get(transaction.referenceBlockId);
    const refuse = (message: string, kind: 'network' | 'expired'): never => {
      note(false);
      throw new AppError(kind, message, { where: 'simulated chain' });
    };
    if (referenceHeight === undefined) return refuse('unknown reference block', 'network');
    if (height > referenceHeight + expiryBlocks) return refuse(`transaction is expired: ref_height=${referenceHeight} final_height=${height}`, 'expired');
    if (known.has(transaction.id)) return note(true);
    const fault = planned.shift();
    if (fault?.name === 'refused') return refuse('the connection broke, as ordered', 'network');
    known.set(transaction.id, { transaction, referenceHeight, fromHeight: height + 1 + (fault?.name === 'late' ? fault.blocks : 0) });
    note(true);
    if (fault?.name === 'dropped') dropped.add(transaction.id);
    if (fault?.name === 'result hidden' || fault?.name === 'hidden') hidden.result.add(transaction.id);
    // Only a creation is watched after it was given up: no other is hidden wholly.
    if (fault?.name === 'hidden' && transaction.action.name === 'createWallets') hidden.events.add(transaction.id);
    if (fault?.name === 'answer lost') throw new AppError('network', 'the answer was lost, as ordered', { where: 'simulated chain' });
  };

  const block = (at: number): Block => ({ id: blockId(at), height: at, timestamp: timestamps[at] ?? new Date(0) });
  const view: ChainView = {
    cadence,
    sealedHeight,
    block,
    heightOf: (blockId) => heights.get(blockId),
    accountAt: (address, at) => accounts.at(address, at),
    executed: (txId) => executedById.get(txId),
    expiresAfter(txId) {
      const each = known.get(txId);
      return each === undefined ? undefined : expiresAfter(each);
    },
    isHidden: (txId, what) => hidden[what].has(txId),
    transactionsOf: (at) => byHeight.get(at) ?? [],
    take,
  };

  return {
    ledger: { sends, executed },
    connect: (name) => createNode(name, view),
    advance(blocks) {
      for (let i = 0; i < blocks; i++) makeBlock();
    },
    height: () => height,
    sealedHeight,
    addAccount: (publicKeys, balance) => accounts.create(publicKeys, balance, 0).address,
    account: (address) => accounts.at(address),
    fateOf(txId) {
      const done = executedById.get(txId);
      if (done !== undefined) return done.errorMessage === '' ? 'done' : 'failed';
      const sent = sends.find((send) => send.transaction.id === txId);
      if (sent === undefined) return undefined;
      const referenceHeight = heights.get(sent.transaction.referenceBlockId);
      return referenceHeight !== undefined && height <= referenceHeight + expiryBlocks ? 'open' : 'dead';
    },
    planSend: (fault) => void planned.push(fault),
    poison: (member) => void poisons.push(member),
    isBadKey: (publicKey) => badKeys.has(publicKey),
    setEffortPerAccount: (effort) => void (effortPerAccount = effort),
    signOutside: (address, keyIndex) =>
      accounts.update(address, height, (account) => ({ keys: account.keys.map((key) => (key.index === keyIndex ? { ...key, sequenceNumber: key.sequenceNumber + 1 } : key)) })),
    setBalance: (address, balance) => accounts.update(address, height, () => ({ balance: balance < MINIMUM_BALANCE ? MINIMUM_BALANCE : balance })),
    clearFaults() {
      planned = [];
      poisons = [];
      hidden.result.clear();
      hidden.events.clear();
      effortPerAccount = EFFORT_PER_ACCOUNT;
    },
  };
}

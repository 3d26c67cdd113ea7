import { AppError } from '../../src/errors.js';
import { MAX_EVENT_RANGE, type AccessNode, type Block, type ChainAccount, type RangeEvent, type TransactionResult } from '../../src/flow/accessNode.js';
import { normalizeAddress } from '../../src/flow/address.js';
import { formatAmount } from '../../src/flow/amount.js';
import type { SignedTransaction } from '../../src/flow/buildTransaction.js';
import type { Cadence } from '../../src/flow/cadence.js';
import { classifyChainError } from '../../src/flow/errors.js';
import type { FclArg } from '../../src/flow/fcl.js';
import type { ExecutedTransaction } from './ledger.js';

/** No limiter stands before it. */
const NO_CALLS = { calls: 0, waiting: 0 };

/** What the chain shows to its access nodes. */
export interface ChainView {
  readonly cadence: Cadence;
  sealedHeight(): number;
  block(height: number): Block;
  heightOf(blockId: string): number | undefined;
  accountAt(address: string, height: number): ChainAccount | null;
  /** Undefined where it was never executed. */
  executed(txId: string): ExecutedTransaction | undefined;
  /** The height from which on a transaction that the network has can't be executed; undefined where the network has none of that id. */
  expiresAfter(txId: string): number | undefined;
  isHidden(txId: string, what: 'result' | 'events'): boolean;
  /** Executed transactions of one block. */
  transactionsOf(height: number): readonly ExecutedTransaction[];
  take(transaction: SignedTransaction, by: string): Promise<void>;
}

/** How one access node misbehaves. Heights never fall below the chain's first. */
export interface NodeFaults {
  /** Blocks by which everything that it shows is old. */
  behind: number;
  /** Blocks by which results, events, accounts and scripts are older than the sealed height that it names. */
  lag: number;
  /** So many of the next calls fail, without effect. */
  failing: { kind: 'network' | 'rate-limit'; calls: number };
}

export interface SimulatedNode extends AccessNode {
  readonly name: string;
  readonly faults: NodeFaults;
}

/** One access node of the simulated chain. */
export function createNode(name: string, chain: ChainView): SimulatedNode {
  const faults: NodeFaults = { behind: 0, lag: 0, failing: { kind: 'network', calls: 0 } };
  const where = `simulated node ${name}`;
  const shownHeight = (): number => chain.sealedHeight() - faults.behind;
  const indexedHeight = (): number => shownHeight() - faults.lag;

  const answer = (): void => {
    if (faults.failing.calls <= 0) return;
    faults.failing.calls -= 1;
    throw new AppError(faults.failing.kind, 'no answer, as ordered', { where });
  };

  const resultOf = (txId: string): TransactionResult => {
    const open = (status: 'unknown' | 'pending' | 'expired'): TransactionResult => ({ status, failed: null, events: [], blockId: null });
    const expiresAfter = chain.expiresAfter(txId);
    if (expiresAfter === undefined) return open('unknown');
    const executed = chain.executed(txId);
    if (executed === undefined || executed.height > indexedHeight() || chain.isHidden(txId, 'result')) return open(indexedHeight() > expiresAfter ? 'expired' : 'pending');
    return {
      status: 'sealed',
      failed: executed.errorMessage === '' ? null : classifyChainError(executed.errorMessage, `transaction ${txId}`),
      events: executed.events,
      blockId: chain.block(executed.height).id,
    };
  };

  return {
    name,
    faults,
    async chainId() {
      answer();
      return 'flow-emulator';
    },
    async latestSealedBlock() {
      answer();
      return chain.block(shownHeight());
    },
    async heightOf(blockId) {
      answer();
      const height = chain.heightOf(blockId);
      if (height === undefined || height > indexedHeight()) throw new AppError('data', `no block ${blockId} is known here`, { where });
      return height;
    },
    async account(address) {
      answer();
      return chain.accountAt(normalizeAddress(address), indexedHeight());
    },
    async script(cadence, args) {
      answer();
      if (cadence === chain.cadence.script('checkWallets')) return checkWallets(args, indexedHeight(), chain);
      throw new AppError('chain-state', 'the simulation knows no such script', { where });
    },
    async send(transaction) {
      answer();
      await chain.take(transaction, name);
    },
    async result(txId) {
      answer();
      return resultOf(txId);
    },
    async eventsInRange(type, from, to) {
      if (to < from || to - from >= MAX_EVENT_RANGE) throw new AppError('internal', `a range of events has 1 to ${MAX_EVENT_RANGE} blocks, not ${to - from + 1}`);
      answer();
      if (to > indexedHeight()) throw new AppError('network', `block ${to} is above the latest that is known here`, { where });
      const found: RangeEvent[] = [];
      for (let height = from; height <= to; height++) {
        for (const { transaction, events } of chain.transactionsOf(height)) {
          if (chain.isHidden(transaction.id, 'events')) continue;
          for (const event of events) if (event.type === type) found.push({ ...event, height, txId: transaction.id });
        }
      }
      return found;
    },
    calls: () => ({ script: NO_CALLS, transaction: NO_CALLS, event: NO_CALLS, read: NO_CALLS }),
    close: () => undefined,
  };
}

/** The answer of checkWallets.cdc: every account of the simulated chain is whole. */
function checkWallets(args: readonly FclArg[], height: number, chain: ChainView): unknown {
  const [addresses, publicKeys] = args.map((list) => (list.value as readonly FclArg[]).map((item) => String(item.value)));
  const accounts = (addresses ?? []).map((address) => chain.accountAt(address, height));
  const flags = accounts.map((account, i) => {
    if (account === null) return '00';
    // All six bits, or all but the key's.
    return account.keys.some((key) => key.publicKey === publicKeys?.[i] && !key.revoked) ? '3f' : '3d';
  });
  return { height: `${height}`, flags: flags.join(''), balances: accounts.map((account) => formatAmount(account?.balance ?? 0n)) };
}

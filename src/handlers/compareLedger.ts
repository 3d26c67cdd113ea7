import type { AccessNode, RangeEvent } from '../flow/accessNode.js';
import { depositEventType, readDeposits } from '../flow/fundWallets.js';
import { readWithdrawals, withdrawalEventType } from '../flow/withdrawals.js';
import { readHeld, type HeldTransaction } from '../journal/ledger.js';
import type { Reckoner } from './reckon.js';

/**
 * What does not agree. Amounts in 10^-8 FLOW, each one withdrawal.
 * - `differs`: the chain shows other withdrawals of this transaction than the ledger has, or none where `chain` is empty.
 * - `unknown`: the ledger does not know yet what it took: the access node does not tell its result.
 * - `unrecorded`: it was given up and has sealed after all; a running daemon records it.
 * - `not-ours`: FLOW left a funder in a transaction that is not in the journal: somebody else has its key.
 * - `pending`: it is not settled yet; left out of the comparison.
 * - `balance`: the funder has more (below 0: less) than follows from all that was seen.
 */
export type LedgerFinding =
  | { readonly kind: 'differs'; readonly txId: string; readonly funder: string; readonly ledger: readonly bigint[]; readonly chain: readonly bigint[] }
  | { readonly kind: 'unknown' | 'unrecorded' | 'not-ours' | 'pending'; readonly txId: string; readonly funder: string; readonly chain: readonly bigint[] }
  | { readonly kind: 'balance'; readonly funder: string; readonly difference: bigint };

/** What a funder got and gave, in 10^-8 FLOW. */
export interface FlowSums {
  readonly received: bigint;
  readonly ledger: bigint;
  readonly notOurs: bigint;
  readonly pending: bigint;
}

export interface LedgerComparison {
  /** Compares the blocks of one range, at most 250. Throws where the access node does not answer for each; nothing of it counts then. */
  compare(range: { readonly from: number; readonly to: number }): Promise<void>;
  report(finding: LedgerFinding): void;
  sumsOf(funder: string): FlowSums;
  counts(): { readonly transactions: number; readonly differences: number; readonly notOurs: number; readonly pending: number };
}

type Taken = Map<string, bigint[]>;

/** What comparing needs. */
export type Comparer = Pick<Reckoner, 'journal' | 'network'> & { readonly node: Pick<AccessNode, 'result' | 'heightOf' | 'eventsInRange'> };

/** Adds up what is compared, range by range; it holds no more of a range than its findings' numbers. */
export function createLedgerComparison({ journal, node, network }: Comparer, funders: readonly string[], onFinding: (finding: LedgerFinding) => void): LedgerComparison {
  const isFunder = new Set(funders);
  const sums = new Map(funders.map((address) => [address, { received: 0n, ledger: 0n, notOurs: 0n, pending: 0n }]));
  const counts = { transactions: 0, differences: 0, notOurs: 0, pending: 0 };

  const report = (finding: LedgerFinding): void => {
    counts[finding.kind === 'not-ours' ? 'notOurs' : finding.kind === 'pending' ? 'pending' : 'differences'] += 1;
    onFinding(finding);
  };
  const add = (funder: string, to: keyof FlowSums, amounts: readonly bigint[]): void => {
    const sum = sums.get(funder);
    if (sum !== undefined) sum[to] += total(amounts);
  };

  /** What each transaction of these blocks took from which funder. */
  const takenIn = (events: readonly RangeEvent[]): Map<string, Taken> => {
    const found = new Map<string, Taken>();
    for (const event of events) {
      for (const { address, amount } of readWithdrawals([event], network)) {
        if (!isFunder.has(address)) continue;
        const taken = found.get(event.txId) ?? new Map<string, bigint[]>();
        taken.set(address, [...(taken.get(address) ?? []), amount]);
        found.set(event.txId, taken);
      }
    }
    return found;
  };

  /** Where its own result says that it took these amounts in another block than the journal says. */
  const isElsewhere = async (held: HeldTransaction, range: { from: number; to: number }): Promise<boolean> => {
    const result = await node.result(held.id);
    if (result.status !== 'sealed' || result.blockId === null) return false;
    const height = await node.heightOf(result.blockId);
    const own = readWithdrawals(result.events, network).filter((each) => each.address === held.payer).map((each) => each.amount);
    return (height < range.from || height > range.to) && isSame(known(held.amounts), own);
  };

  const compareOne = (held: HeldTransaction, taken: Taken | undefined): void => {
    const { id: txId, payer: funder } = held;
    const chain = taken?.get(funder) ?? [];
    const ledger = known(held.amounts);
    if (held.state === 'live' || (held.state === 'given_up' && held.amounts.length === 0)) {
      if (chain.length === 0) return;
      add(funder, 'pending', chain);
      return report({ kind: held.state === 'live' ? 'pending' : 'unrecorded', txId, funder, chain });
    }
    counts.transactions += 1;
    add(funder, 'ledger', ledger);
    if (ledger.length < held.amounts.length) return report({ kind: 'unknown', txId, funder, chain });
    if (!isSame(ledger, chain)) report({ kind: 'differs', txId, funder, ledger, chain });
  };

  return {
    async compare(range) {
      const [withdrawals, deposits] = await Promise.all([withdrawalEventType(network), depositEventType(network)].map((type) => node.eventsInRange(type, range.from, range.to)));
      const found = takenIn(withdrawals ?? []);
      const held = await readHeld(journal, range, [...found.keys()]);
      const elsewhere = new Set<string>();
      for (const each of held) if (!found.has(each.id) && each.amounts.length > 0 && (await isElsewhere(each, range))) elsewhere.add(each.id);
      // From here on nothing can fail, so that a range that is compared again counts once.
      for (const each of held) {
        if (elsewhere.has(each.id)) continue;
        compareOne(each, found.get(each.id));
        // Our transactions take FLOW from their payer alone.
        found.get(each.id)?.delete(each.payer);
      }
      for (const [txId, taken] of found) {
        for (const [funder, chain] of taken) {
          add(funder, 'notOurs', chain);
          report({ kind: 'not-ours', txId, funder, chain });
        }
      }
      for (const { address, amount } of readDeposits(deposits ?? [], network)) add(address, 'received', [amount]);
    },
    report,
    sumsOf: (funder) => sums.get(funder) ?? { received: 0n, ledger: 0n, notOurs: 0n, pending: 0n },
    counts: () => ({ ...counts }),
  };
}

const total = (amounts: readonly bigint[]): bigint => amounts.reduce((sum, amount) => sum + amount, 0n);

const known = (amounts: readonly (bigint | null)[]): bigint[] => amounts.flatMap((amount) => amount ?? []);

/** The same amounts as often, in whatever order: a creation pays each account's cost and deposit in turn, and its fee at the end. */
function isSame(one: readonly bigint[], other: readonly bigint[]): boolean {
  const sorted = (amounts: readonly bigint[]): string => [...amounts].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0)).join();
  return sorted(one) === sorted(other);
}

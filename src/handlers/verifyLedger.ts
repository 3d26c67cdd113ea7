import { toAppError } from '../errors.js';
import { MAX_EVENT_RANGE, type AccessNode } from '../flow/accessNode.js';
import { readBalances } from '../flow/readBalances.js';
import { heightBefore, readCheckpoints, readPayers, saveCheckpoints, type Checkpoint } from '../journal/ledger.js';
import { createLedgerComparison, type Comparer, type FlowSums, type LedgerFinding } from './compareLedger.js';
import type { Instance } from './instance.js';
import { reckon, type Reckoner } from './reckon.js';
import { PATIENCE, persevere } from './sweep/persevere.js';

/** What verifying needs: the journal, and an access node. No key. */
export type Verifier = Reckoner & Comparer & Pick<Instance, 'cadence'> & { readonly node: Pick<AccessNode, 'script'> };

export interface VerifyOptions {
  /** From the blocks of that time on. Null: from where it was last found right, else from the first transaction. */
  readonly since: Date | null;
  readonly signal: AbortSignal;
  /** Called with the blocks that are done, of so many. */
  readonly onProgress: (done: number, of: number) => void;
  /** Called with each finding as it is found: any number may come. */
  readonly onFinding: (finding: LedgerFinding) => void;
}

/** A funder over the covered blocks, in 10^-8 FLOW. */
export interface VerifiedFunder extends FlowSums {
  readonly address: string;
  /** Before the first block; null where neither the access node nor an earlier comparison tells it: then the balance is not compared. */
  readonly opening: bigint | null;
  readonly closing: bigint;
  /** What closing is above opening + received - ledger - not ours - pending. */
  readonly difference: bigint | null;
}

export interface Verification {
  /** Blocks that were covered, both included; none where `to` is below `from`. */
  readonly from: number;
  readonly to: number;
  readonly transactions: number;
  readonly differences: number;
  readonly notOurs: number;
  readonly pending: number;
  readonly funders: readonly VerifiedFunder[];
  /** Ledger, chain and balances agree to 10^-8, and nothing else left a funder. */
  readonly isExact: boolean;
}

/** Ranges of 250 blocks that are read at once: two calls each, so that 30 a second are used where a call takes half a second. */
const AT_ONCE = 8;
const RECKONED_AT_ONCE = 100;

/**
 * Compares the ledger with the chain, block by block: each transaction of it must have taken exactly its entries from its payer, each
 * withdrawal from a funder must be a transaction's of the ledger, and each funder's balance must be what follows. First learns what the
 * ledger lacks. Holds {@link AT_ONCE} ranges in memory, whatever the length. Throws where the access node does not answer for a block.
 */
export async function verifyLedger(instance: Verifier, options: VerifyOptions): Promise<Verification> {
  const { journal, node, network, cadence } = instance;
  while (!options.signal.aborted && (await reckon(instance, RECKONED_AT_ONCE)) > 0);
  const funders = [...new Set([...network.funders.map((funder) => funder.address), ...(await readPayers(journal))])].sort();
  const patiently = <T>(work: () => Promise<T>): Promise<T> => persevere(PATIENCE, options.signal, work);

  const closing = await patiently(() => readBalances(node, cadence, funders));
  const checkpoints = await readCheckpoints(journal);
  const begin = await findBegin(instance, options.since, checkpoints);
  const base = Math.min(begin ?? closing.height, closing.height);
  const opening = await readOpening(instance, funders, base, checkpoints);

  const comparison = createLedgerComparison(instance, funders, options.onFinding);
  const total = closing.height - base;
  let done = 0;
  let next = base + 1;
  const work = async (): Promise<void> => {
    while (next <= closing.height) {
      const range = { from: next, to: Math.min(closing.height, next + MAX_EVENT_RANGE - 1) };
      next = range.to + 1;
      await patiently(() => comparison.compare(range));
      done += range.to - range.from + 1;
      options.onProgress(done, total);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));

  const compared = funders.map((address, i) => toFunder(address, opening?.[i] ?? null, closing.balances[i] ?? 0n, comparison.sumsOf(address)));
  for (const funder of compared) if (funder.difference !== null && funder.difference !== 0n) comparison.report({ kind: 'balance', funder: funder.address, difference: funder.difference });
  const { transactions, differences, notOurs, pending } = comparison.counts();
  // With something pending its block would be passed, and it would never be compared.
  const isGapless = options.since === null || checkpoints.some((each) => each.height >= base);
  if (differences === 0 && pending === 0 && isGapless) await saveCheckpoints(journal, compared.map(({ address, closing: balance }) => ({ address, height: closing.height, balance })));
  return { from: base + 1, to: closing.height, transactions, differences, notOurs, pending, funders: compared, isExact: differences === 0 && notOurs === 0 };
}

/** The block below the first that is compared; null where there is no transaction. */
async function findBegin({ journal }: Verifier, since: Date | null, checkpoints: readonly Checkpoint[]): Promise<number | null> {
  if (since !== null || checkpoints.length === 0) return heightBefore(journal, since);
  return Math.max(...checkpoints.map((each) => each.height));
}

/** The balances in that block, in the order of the addresses. An access node keeps old states for some time only: an earlier comparison may know them. */
async function readOpening({ node, cadence, log }: Verifier, funders: readonly string[], height: number, checkpoints: readonly Checkpoint[]): Promise<(bigint | null)[]> {
  try {
    return [...(await readBalances(node, cadence, funders, height)).balances];
  } catch (thrown) {
    const error = toAppError(thrown);
    log.debug({ height, kind: error.kind, reason: error.message }, 'no state of this block here');
    return funders.map((address) => checkpoints.find((each) => each.address === address && each.height === height)?.balance ?? null);
  }
}

function toFunder(address: string, opening: bigint | null, closing: bigint, sums: FlowSums): VerifiedFunder {
  const difference = opening === null ? null : closing - (opening + sums.received - sums.ledger - sums.notOurs - sums.pending);
  return { address, opening, closing, difference, ...sums };
}

import pLimit from 'p-limit';
import { AppError, toAppError } from '../errors.js';
import type { Block } from '../flow/accessNode.js';
import type { LiveTransaction } from '../journal/transactions.js';
import type { Instance } from './instance.js';
import { retryDelayMs } from './retryPolicy.js';
import type { Settler } from './settleCreation.js';

/** Pause between looks at the sealed height while something is unsealed. A fifth of a second is lost at most. */
const POLL_MS = 200;
/** Broadcasts and result reads under way at once. */
const CONCURRENCY = 8;
/** A transaction without any sign of life is broadcast again after this, then after twice as long, up to the cap. */
const REBROADCAST_FIRST_MS = 3_000;
const REBROADCAST_CAP_MS = 30_000;
/** Blocks beyond its expiry after which a transaction without a result may be given up (with the event scan's word). */
const GIVE_UP_MARGIN = 60;
/** A sealed block is used as reference for at most this long: it costs expiry blocks, nothing else. */
const REFERENCE_MAX_AGE_MS = 10_000;

export interface TransactionFollower {
  /** Broadcasts a recorded transaction and follows it to its end. */
  follow(transaction: LiveTransaction): void;
  /** A recent sealed block: what a new transaction refers to. */
  referenceBlock(): Promise<Block>;
  /** The ids of what is not settled yet. */
  unsettled(): string[];
  /** Stops looking. What is unsettled stays in the journal, for the next instance. */
  stop(): void;
}

interface Followed {
  transaction: LiveTransaction;
  nextBroadcastAt: number;
  broadcasts: number;
  failures: number;
  busy: boolean;
}

/**
 * Follows every unsealed transaction of this instance: broadcasts its bytes, again while it shows no sign of life, polls the
 * sealed height once for all, and asks for results only when that has moved. An error answer to a broadcast is never
 * evidence: nodes lag and lie. `onSettled` is called after each end was recorded; while `maySend` is false nothing is broadcast.
 */
export function createFollower(instance: Instance, settler: Settler, options: { maySend: () => boolean; onSettled: () => void }): TransactionFollower {
  const { node, log, statistics } = instance;
  const followed = new Map<string, Followed>();
  const limit = pLimit(CONCURRENCY);
  let latest: { block: Block; readAt: number } | null = null;
  let timer: NodeJS.Timeout | undefined;
  /** The sealed height at which results were last asked for. */
  let lookedAtHeight = -1;
  let polling = false;
  let stopped = false;

  const readLatest = async (): Promise<Block> => {
    const block = await node.latestSealedBlock();
    // A node that answers with a lower height than before lags: its answers about results are as old.
    if (latest === null || block.height >= latest.block.height) latest = { block, readAt: Date.now() };
    return block;
  };

  const broadcast = async (entry: Followed): Promise<void> => {
    if (!options.maySend()) return;
    entry.broadcasts += 1;
    entry.nextBroadcastAt = Date.now() + Math.min(REBROADCAST_CAP_MS, REBROADCAST_FIRST_MS * 2 ** (entry.broadcasts - 1));
    try {
      await node.send(entry.transaction);
      statistics.transactionsSent += 1;
    } catch (thrown) {
      const error = toAppError(thrown);
      entry.nextBroadcastAt = Date.now() + Math.max(POLL_MS, retryDelayMs(error, entry.broadcasts));
      log.warn({ txId: entry.transaction.id, kind: error.kind, reason: error.message }, 'broadcast not confirmed');
    }
  };

  const lookAt = async (entry: Followed, sealedHeight: number): Promise<void> => {
    const { transaction } = entry;
    const result = await node.result(transaction.id);
    if (result.status === 'sealed') {
      await finish(entry, () => (result.failed === null ? settler.sealed(transaction, result.events, sealedHeight) : settler.failed(transaction, result.failed, result.events, sealedHeight)));
      return;
    }
    const isAlive = result.status === 'finalized' || result.status === 'executed';
    if (!isAlive && sealedHeight > transaction.referenceHeight + transaction.expiryBlocks + GIVE_UP_MARGIN) {
      await finish(entry, () => settler.giveUp(transaction));
      return;
    }
    if (!isAlive && Date.now() >= entry.nextBroadcastAt) await broadcast(entry);
  };

  /** Ends following once the end is recorded; an end that can't be told yet (false) is looked at again. */
  const finish = async (entry: Followed, record: () => Promise<boolean>): Promise<void> => {
    const { transaction } = entry;
    if (!(await record())) return;
    // Taken over again meanwhile: what was recorded carried the older epoch and changed no row.
    if (entry.transaction !== transaction) return;
    followed.delete(transaction.id);
    options.onSettled();
  };

  const guard = async (entry: Followed, work: () => Promise<void>): Promise<void> => {
    if (entry.busy || stopped) return;
    entry.busy = true;
    try {
      await limit(work);
      entry.failures = 0;
    } catch (thrown) {
      entry.failures += 1;
      const error = toAppError(thrown);
      // Each poll tries again; the log tells the first failure and then every 50th (10 s).
      if (entry.failures % 50 === 1) log.warn({ txId: entry.transaction.id, kind: error.kind, reason: error.message }, 'transaction not settled yet');
    } finally {
      entry.busy = false;
    }
  };

  const poll = async (): Promise<void> => {
    if (polling || stopped || followed.size === 0) return;
    polling = true;
    try {
      const { height } = await readLatest();
      const hasMoved = height > lookedAtHeight;
      lookedAtHeight = Math.max(height, lookedAtHeight);
      if (hasMoved) await Promise.all([...followed.values()].map((entry) => guard(entry, () => lookAt(entry, height))));
      else await Promise.all([...followed.values()].filter((entry) => Date.now() >= entry.nextBroadcastAt).map((entry) => guard(entry, () => lookAt(entry, height))));
    } catch (thrown) {
      const error = toAppError(thrown);
      log.debug({ kind: error.kind, reason: error.message }, 'sealed height not read');
    } finally {
      polling = false;
      schedule();
    }
  };

  const schedule = (): void => {
    if (stopped || followed.size === 0) return;
    clearTimeout(timer);
    timer = setTimeout(() => void poll(), POLL_MS);
  };

  return {
    follow(transaction) {
      const known = followed.get(transaction.id);
      if (known !== undefined) {
        // Our own lease ran out and we took it over again: only the newest epoch can settle it.
        if (transaction.slot.epoch > known.transaction.slot.epoch) known.transaction = transaction;
        return;
      }
      const entry: Followed = { transaction, nextBroadcastAt: 0, broadcasts: 0, failures: 0, busy: false };
      followed.set(transaction.id, entry);
      void guard(entry, () => broadcast(entry));
      schedule();
    },
    async referenceBlock() {
      if (latest !== null && Date.now() - latest.readAt < REFERENCE_MAX_AGE_MS) return latest.block;
      await readLatest();
      if (latest === null) throw new AppError('network', 'no sealed block known', { where: 'access node' });
      return (latest as { block: Block }).block;
    },
    unsettled: () => [...followed.keys()],
    stop() {
      stopped = true;
      clearTimeout(timer);
    },
  };
}

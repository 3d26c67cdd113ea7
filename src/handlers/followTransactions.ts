import pLimit from 'p-limit';
import { AppError, toAppError } from '../errors.js';
import type { Block } from '../flow/accessNode.js';
import type { LiveTransaction } from '../journal/transactions.js';
import type { Sender } from './instance.js';
import { priorityOf, SWEEP_PRIORITY } from './priority.js';
import { retryDelayMs } from './retryPolicy.js';
import type { Settlers } from './settler.js';

/** Pause between looks at the sealed height while something is unsealed: so much is lost at most, of the 0.8 s that a block takes. */
const POLL_MS = 150;
/** A look that failed is tried again after this … */
const AGAIN_MS = 200;
/** … and any other one after this, though the height has not moved: nodes behind one name may answer from different heights. */
const AT_LATEST_MS = 3_000;
/** Blocks whose heights are kept: those of the last minute, about. */
const BLOCKS_KEPT = 60;
/** Broadcasts and result reads under way at once, and as many again of a sweep's transactions: those wait longer for the rate, and take no place of others. */
const CONCURRENCY = 8;
/** A transaction without any sign of life is broadcast again after this, then after twice as long, up to the cap. */
const REBROADCAST_FIRST_MS = 3_000;
const REBROADCAST_CAP_MS = 30_000;
/** Blocks beyond its expiry after which a transaction without a result may be given up (with the event scan's word). */
const GIVE_UP_MARGIN = 60;
/** A sealed block is used as reference for at most this long, with an expiry of 600 blocks; with less, for as much less: it costs expiry blocks, nothing else. */
const REFERENCE_MAX_AGE_MS = 10_000;

export interface TransactionFollower {
  /** Broadcasts a recorded transaction and follows it to its end. */
  follow(transaction: LiveTransaction): void;
  /** A recent sealed block: what a new transaction refers to. */
  referenceBlock(): Promise<Block>;
  /** The ids of what is not settled yet. */
  unsettled(): string[];
  /** Looks once at everything that is followed, by the sealed height as it is now. */
  poll(): Promise<void>;
  /** Stops looking. What is unsettled stays in the journal, for the next instance. */
  stop(): void;
}

interface Followed {
  transaction: LiveTransaction;
  nextBroadcastAt: number;
  broadcasts: number;
  failures: number;
  busy: boolean;
  /** The sealed height at which its result was last asked for. */
  lookedAtHeight: number;
  /** When to ask again, though the height is the same. */
  againAt: number;
  /** Finalized or executed, when last looked at: it is not broadcast again. */
  isAlive: boolean;
}

export interface FollowerOptions {
  readonly maySend: () => boolean;
  /** Called after each end was recorded. */
  readonly onSettled: () => void;
  /** Pause between looks while something is unsealed, in milliseconds. Default 150; null: only {@link TransactionFollower.poll} looks. */
  readonly everyMs?: number | null;
}

/**
 * Follows every unsealed transaction of this instance: broadcasts its bytes, again while it shows no sign of life, polls the
 * sealed height once for all, and asks for results only when that has moved. An error answer to a broadcast is never
 * evidence: nodes lag and lie. While `maySend` is false nothing is broadcast.
 */
export function createFollower(instance: Sender, settlers: Settlers, options: FollowerOptions): TransactionFollower {
  const { node, log, statistics, faultPoints, now } = instance;
  const everyMs = options.everyMs === undefined ? POLL_MS : options.everyMs;
  const followed = new Map<string, Followed>();
  const limit = pLimit(CONCURRENCY);
  const sweepLimit = pLimit(CONCURRENCY);
  const referenceMaxAgeMs = Math.min(REFERENCE_MAX_AGE_MS, (instance.settings.TRANSACTION_EXPIRY * 1_000) / 60);
  let latest: { block: Block; readAt: number } | null = null;
  /** The heights of blocks that were the latest one, by id: a result mostly lies in one of them. */
  const heights = new Map<string, number>();
  let timer: NodeJS.Timeout | undefined;
  let polling = false;
  let stopped = false;

  const readLatest = async (): Promise<Block> => {
    const block = await node.latestSealedBlock();
    heights.set(block.id, block.height);
    const [oldest] = heights.keys();
    if (heights.size > BLOCKS_KEPT && oldest !== undefined) heights.delete(oldest);
    // A lower height than before comes from a node that lags; but one absurd answer must not stand for ever.
    if (latest === null || block.height >= latest.block.height || now() - latest.readAt >= REFERENCE_MAX_AGE_MS) latest = { block, readAt: now() };
    return block;
  };

  const broadcast = async (entry: Followed): Promise<void> => {
    if (!options.maySend()) return;
    entry.broadcasts += 1;
    entry.nextBroadcastAt = now() + Math.min(REBROADCAST_CAP_MS, REBROADCAST_FIRST_MS * 2 ** (entry.broadcasts - 1));
    await faultPoints.at('before send');
    try {
      await node.send(entry.transaction, { priority: priorityOf(entry.transaction.kind) });
      statistics.transactionsSent += 1;
      await faultPoints.at('after send');
    } catch (thrown) {
      const error = toAppError(thrown);
      entry.nextBroadcastAt = now() + Math.max(POLL_MS, retryDelayMs(error, entry.broadcasts));
      log.warn({ txId: entry.transaction.id, kind: error.kind, reason: error.message }, 'broadcast not confirmed');
    }
  };

  /** Of a block that was the latest one. What lies outside the blocks in which the transaction can be is not believed, and asked for by itself. */
  const heightKnownOf = (blockId: string, { referenceHeight, expiryBlocks }: LiveTransaction): number | undefined => {
    const height = heights.get(blockId);
    return height !== undefined && height > referenceHeight && height <= referenceHeight + expiryBlocks + GIVE_UP_MARGIN ? height : undefined;
  };

  const lookAt = async (entry: Followed, sealedHeight: number): Promise<void> => {
    const { transaction } = entry;
    entry.lookedAtHeight = sealedHeight;
    const result = await node.result(transaction.id);
    const settler = settlers[transaction.kind];
    if (result.status === 'sealed') {
      await faultPoints.at('sealed');
      // The block's own height, from its id: the sealed height was read before the result and can lie below it.
      if (result.blockId === null) throw new AppError('network', 'a sealed result names no block', { where: 'access node' });
      const height = heightKnownOf(result.blockId, transaction) ?? (await node.heightOf(result.blockId));
      await finish(entry, () => (result.failed === null ? settler.sealed(transaction, result.events, height) : settler.failed(transaction, result.failed, result.events, height)));
      return;
    }
    await faultPoints.at('before seal');
    entry.isAlive = result.status === 'finalized' || result.status === 'executed';
    if (!entry.isAlive && sealedHeight > transaction.referenceHeight + transaction.expiryBlocks + GIVE_UP_MARGIN) {
      await finish(entry, () => settler.giveUp(transaction));
      return;
    }
    if (!entry.isAlive && now() >= entry.nextBroadcastAt) await broadcast(entry);
  };

  /** Ends following once the end is recorded; an end that can't be told yet (false) is looked at again. */
  const finish = async (entry: Followed, record: () => Promise<boolean>): Promise<void> => {
    const { transaction } = entry;
    if (!(await record())) return;
    await faultPoints.at('settled');
    // Taken over again meanwhile: what was recorded carried the older epoch and changed no row.
    if (entry.transaction !== transaction) return void (entry.lookedAtHeight = -1);
    followed.delete(transaction.id);
    options.onSettled();
  };

  const guard = async (entry: Followed, work: () => Promise<void>): Promise<void> => {
    if (entry.busy || stopped) return;
    entry.busy = true;
    try {
      await (priorityOf(entry.transaction.kind) === SWEEP_PRIORITY ? sweepLimit : limit)(work);
      entry.failures = 0;
      entry.againAt = now() + AT_LATEST_MS;
    } catch (thrown) {
      entry.failures += 1;
      entry.againAt = now() + AGAIN_MS;
      const error = toAppError(thrown);
      // Tried again and again; the log tells the first failure and then every 50th (10 s).
      if (entry.failures % 50 === 1) log.warn({ txId: entry.transaction.id, kind: error.kind, reason: error.message }, 'transaction not settled yet');
    } finally {
      entry.busy = false;
    }
  };

  /** Begins to look at whatever may have changed, and resolves with those looks once the height is read: the next poll waits for none of them. */
  const begin = async (): Promise<readonly Promise<void>[]> => {
    if (polling || stopped || followed.size === 0) return [];
    polling = true;
    try {
      const { height } = await readLatest();
      const isDue = (entry: Followed): boolean => height !== entry.lookedAtHeight || now() >= entry.againAt || (!entry.isAlive && options.maySend() && now() >= entry.nextBroadcastAt);
      return [...followed.values()].filter(isDue).map((entry) => guard(entry, () => lookAt(entry, height)));
    } catch (thrown) {
      const error = toAppError(thrown);
      log.debug({ kind: error.kind, reason: error.message }, 'sealed height not read');
      return [];
    } finally {
      polling = false;
      schedule();
    }
  };

  const schedule = (): void => {
    if (stopped || followed.size === 0 || everyMs === null) return;
    clearTimeout(timer);
    timer = setTimeout(() => void begin(), everyMs);
  };

  return {
    follow(transaction) {
      const known = followed.get(transaction.id);
      if (known !== undefined) {
        // Our own lease ran out and we took it over again: only the newest epoch can settle it.
        if (transaction.slot.epoch > known.transaction.slot.epoch) Object.assign(known, { transaction, lookedAtHeight: -1 });
        return;
      }
      const entry: Followed = { transaction, nextBroadcastAt: 0, broadcasts: 0, failures: 0, busy: false, lookedAtHeight: -1, againAt: 0, isAlive: false };
      followed.set(transaction.id, entry);
      void guard(entry, () => broadcast(entry));
      schedule();
    },
    async referenceBlock() {
      if (latest !== null && now() - latest.readAt < referenceMaxAgeMs) return latest.block;
      await readLatest();
      if (latest === null) throw new AppError('network', 'no sealed block known', { where: 'access node' });
      return (latest as { block: Block }).block;
    },
    unsettled: () => [...followed.keys()],
    poll: async () => void (await Promise.all(await begin())),
    stop() {
      stopped = true;
      clearTimeout(timer);
    },
  };
}

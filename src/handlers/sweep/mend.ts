import { setTimeout as pause } from 'node:timers/promises';
import { AppError, toAppError, type ErrorKind } from '../../errors.js';
import { MAX_DEPOSITS_PER_TRANSACTION } from '../../flow/fundWallets.js';
import { endApart, setApart } from '../../journal/apart.js';
import { saveStep } from '../../journal/cycles.js';
import { readEnds, type End } from '../../journal/ends.js';
import type { TransactionFollower } from '../followTransactions.js';
import { fundWallets } from '../fundWallets.js';
import type { Instance } from '../instance.js';
import { repairWallet } from '../repairWallet.js';
import { retryPolicy } from '../retryPolicy.js';
import type { Finding } from './digest.js';
import type { Step } from './lease.js';
import { persevere, type Patience } from './persevere.js';
import { createCounter } from './tally.js';

/** A finding whose account is in the journal. */
export interface Mendable extends Finding {
  readonly accountId: number;
}

export interface Mender {
  /** Takes findings; resolves when there is room for more. */
  take(findings: readonly Mendable[]): Promise<void>;
  /** No more come: resolves when all are sent, and settled or waited for long enough. */
  finish(): Promise<void>;
  /** After its signal, or the end: resolves when nothing is being sent any more; what was found and is not sent then is counted so. */
  stop(): Promise<void>;
}

export interface MenderOptions {
  readonly follower: TransactionFollower;
  readonly cycleId: number;
  readonly step: Step;
  readonly signal: AbortSignal;
  readonly patience: Patience;
}

/** Findings that wait to be sent, at most; then the sweep waits too. */
const ROOM = 1_000;
/** Repairs under way at once: each is a transaction of its own, and they share the chain with the sign-ups. */
const REPAIRS = 8;
/** A funding that is not full goes after this, and always before it would be given up. */
const GATHER_MS = 2_000;
/** Between looks at what is under way. */
const LOOK_MS = 250;

/**
 * Sends what wallets lack: FLOW, many in one transaction, and vaults and capabilities, one each. A wallet that needs both gets the FLOW
 * first, for a vault takes storage that FLOW pays for. Successes are counted by those who settle, in the same transaction; what
 * could not be sent is counted here.
 */
export function createMender(instance: Instance, options: MenderOptions): Mender {
  const { journal, log } = instance;
  const { follower, cycleId, step, signal, patience } = options;
  const gatherMs = Math.min(GATHER_MS, patience.standstillMs);
  const toFund: Mendable[] = [];
  const toRepair: Mendable[] = [];
  const underWay = new Map<string, { readonly kind: 'fund' | 'repair'; readonly wallets: readonly Mendable[] }>();
  let oldestAt = Infinity;
  let lastMoveAt = performance.now();
  let isClosing = false;
  let running: Promise<void> | null = null;

  const repairsUnderWay = (): number => [...underWay.values()].filter((each) => each.kind === 'repair').length;
  const call = <T>(work: () => Promise<T>): Promise<T> => persevere(patience, signal, work);
  const moved = (): void => void (lastMoveAt = performance.now());

  const countUnsent = async (kind: 'fund' | 'repair', wallets: readonly Mendable[], errorKind: ErrorKind): Promise<void> => {
    const counter = createCounter();
    counter.error(errorKind, wallets.length);
    if (kind === 'fund') {
      counter.count('flow_funding_needed', wallets.length);
      counter.count('flow_funding_errors', wallets.length);
    }
    await step((db) => saveStep(db, cycleId, counter.take(), null));
  };

  /** What is wrong with one of several is looked for among them; alone, it has had a deposit since, or is being served: nothing is owed. */
  const sendFunding = async (wallets: readonly Mendable[]): Promise<boolean> => {
    try {
      const sent = await call(() => fundWallets(instance, follower, wallets.map(({ accountId, address, height }) => ({ accountId, address, balanceHeight: height })), { cycle: cycleId }));
      if (sent === null) return false;
      underWay.set(sent.id, { kind: 'fund', wallets });
      return true;
    } catch (thrown) {
      const error = toAppError(thrown);
      if (error.kind === 'data' && wallets.length > 1) {
        const half = Math.ceil(wallets.length / 2);
        for (const part of [wallets.slice(0, half), wallets.slice(half)]) if (!(await sendFunding(part))) toFund.push(...part);
        return true;
      }
      log[error.kind === 'data' ? 'debug' : 'warn']({ wallets: wallets.length, kind: error.kind, reason: error.message, mend: error.mend }, 'funding not sent');
      if (error.kind !== 'data') await countUnsent('fund', wallets, error.kind);
      toRepair.push(...wallets.filter((wallet) => wallet.needsRepair));
      return true;
    }
  };

  const sendRepair = async (wallet: Mendable): Promise<void> => {
    try {
      const sent = await call(() => repairWallet(instance, follower, { ...wallet, makesVault: wallet.lacksVault }, { cycle: cycleId }));
      underWay.set(sent.id, { kind: 'repair', wallets: [wallet] });
    } catch (thrown) {
      const error = toAppError(thrown);
      log.warn({ authId: wallet.authId, address: wallet.address, kind: error.kind, reason: error.message, mend: error.mend }, 'repair not sent');
      await countUnsent('repair', [wallet], error.kind);
    }
  };

  /** What a member caused will recur: it is set apart. What nobody caused is looked at again by the next sweep. */
  const afterRepair = async ({ address, authId }: Mendable, end: End): Promise<void> => {
    if (end.state === 'sealed') return step((db) => endApart(db, 'repair', [address]));
    const kind = (end.errorKind ?? 'internal') as ErrorKind;
    const isItsOwn = end.state === 'failed' && (retryPolicy(kind).blames === 'member' || kind === 'data' || kind === 'funds');
    log.warn({ authId, address, kind, reason: end.error }, isItsOwn ? 'wallet cannot be repaired: set apart' : 'repair failed');
    const counter = createCounter();
    counter.error(kind);
    await step(async (db) => {
      if (isItsOwn) await setApart(db, 'repair', address, end.error ?? 'its repair failed');
      await saveStep(db, cycleId, counter.take(), null);
    });
  };

  const settle = async (): Promise<void> => {
    if (underWay.size === 0) return;
    for (const [id, end] of await call(() => readEnds(journal, [...underWay.keys()]))) {
      const sent = underWay.get(id);
      underWay.delete(id);
      moved();
      if (sent?.kind === 'fund') toRepair.push(...sent.wallets.filter((wallet) => wallet.needsRepair));
      if (sent?.kind === 'repair') for (const wallet of sent.wallets) await afterRepair(wallet, end);
    }
  };

  const send = async (): Promise<void> => {
    const isDue = (): boolean => toFund.length >= MAX_DEPOSITS_PER_TRANSACTION || (toFund.length > 0 && (isClosing || performance.now() - oldestAt >= gatherMs));
    while (isDue() && !signal.aborted) {
      const wallets = toFund.splice(0, MAX_DEPOSITS_PER_TRANSACTION);
      if (!(await sendFunding(wallets))) {
        toFund.unshift(...wallets);
        break;
      }
      moved();
    }
    while (toRepair.length > 0 && repairsUnderWay() < REPAIRS && !signal.aborted) {
      await sendRepair(toRepair.shift() as Mendable);
      moved();
    }
  };

  const run = async (): Promise<void> => {
    while (toFund.length + toRepair.length + underWay.size > 0 && !signal.aborted) {
      await settle();
      await send();
      if (performance.now() - lastMoveAt >= patience.standstillMs) return giveUp();
      await pause(LOOK_MS, undefined, { signal }).catch(() => undefined);
    }
  };

  const giveUp = async (): Promise<void> => {
    await leave(new AppError('funds', 'no slot of a funder was to spare', { mend: 'wallet-sync funders add-keys, or send FLOW to a funder: `wallet-sync status` shows which are out of rotation' }));
  };

  /** What was found and not sent is for the next sweep. */
  const leave = async (why: AppError): Promise<void> => {
    for (const { kind, wallets } of underWay.values()) if (kind === 'fund') toRepair.push(...wallets.filter((wallet) => wallet.needsRepair));
    if (toFund.length + toRepair.length > 0) log.warn({ unsent: toFund.length + toRepair.length, reason: why.message, mend: why.mend }, 'wallets left as they are until the next sweep');
    if (underWay.size > 0) log.warn({ unsettled: underWay.size }, 'the sweep ends before its transactions: they are counted when they settle');
    underWay.clear();
    if (toFund.length > 0) await countUnsent('fund', toFund.splice(0), why.kind);
    if (toRepair.length > 0) await countUnsent('repair', toRepair.splice(0), why.kind);
  };

  /** One loop at a time, while there is something to do. Its failure is thrown to who takes or finishes next. */
  let failure: unknown = null;
  const start = (): void => {
    if (running !== null || failure !== null) return;
    moved();
    running = run()
      .catch((thrown: unknown) => void (failure = thrown))
      .finally(() => void (running = null));
  };
  const throwFailure = (): void => {
    if (failure !== null) throw failure instanceof Error ? failure : toAppError(failure);
  };

  return {
    async take(findings) {
      if (findings.length === 0) return;
      if (toFund.length === 0) oldestAt = performance.now();
      for (const each of findings) (each.needsFlow ? toFund : toRepair).push(each);
      start();
      while (toFund.length + toRepair.length > ROOM && !signal.aborted) {
        throwFailure();
        await pause(LOOK_MS, undefined, { signal }).catch(() => undefined);
        start();
      }
      throwFailure();
    },
    async finish() {
      isClosing = true;
      // At least once: what is just being sent waits nowhere and is not under way yet.
      do {
        start();
        await running;
        throwFailure();
      } while (toFund.length + toRepair.length + underWay.size > 0 && !signal.aborted);
    },
    async stop() {
      await running;
      await leave(new AppError('data', 'the sweep was stopped before its end'));
    },
  };
}

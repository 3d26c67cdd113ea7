import { setTimeout as pause } from 'node:timers/promises';
import { AppError, toAppError, type ErrorKind } from '../../errors.js';
import { MAX_DEPOSITS_PER_TRANSACTION } from '../../flow/fundWallets.js';
import { endApart, setApart, type ApartFrom } from '../../journal/apart.js';
import { saveStep } from '../../journal/cycles.js';
import { readEnds, type End } from '../../journal/ends.js';
import { walletsAtLimit } from '../../journal/limits.js';
import { isFunderAtFloor, isLimitReached, isRefusedMember, isWalletAtLimit } from '../../journal/sqlErrors.js';
import type { LiveTransaction } from '../../journal/transactions.js';
import { blamesMember } from '../blame.js';
import type { TransactionFollower } from '../followTransactions.js';
import { fundWallets } from '../fundWallets.js';
import { fundingsThatFit } from '../limits.js';
import type { Instance } from '../instance.js';
import { repairWallet } from '../repairWallet.js';
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
  /** Sends nothing more: resolves when what is just being sent has been. What is left is counted. */
  stop(): Promise<void>;
}

export interface MenderOptions {
  readonly follower: TransactionFollower;
  readonly cycleId: number;
  readonly step: Step;
  readonly signal: AbortSignal;
  readonly patience: Patience;
  /** False while nothing may be sent: then it ends. */
  readonly mayWork: () => boolean;
}

/** Findings that wait to be sent, at most; then the sweep waits too. */
const ROOM = 1_000;
/** Repairs under way at once: each is a transaction of its own, and they share the chain with the sign-ups. */
const REPAIRS = 8;
/** A funding that is not full goes after this, and always before it would be given up. */
const GATHER_MS = 2_000;
/** Between looks at what is under way. */
const LOOK_MS = 250;

const WALLET_LIMIT = 'a wallet has had as many fundings as LIMIT_WALLET_FUNDINGS_LONG or LIMIT_WALLET_FUNDINGS_EVER allow';
const ALL_LIMIT = 'LIMIT_FLOW_SHORT or LIMIT_FLOW_LONG has no room for more';

interface Sent {
  readonly transaction: LiveTransaction;
  readonly wallets: readonly Mendable[];
}

/**
 * Sends what wallets lack: FLOW, many in one transaction, and vaults and capabilities, one each. A wallet that needs both gets the FLOW
 * first, for a vault takes storage that FLOW pays for. Successes are counted by those who settle, in the same transaction; what
 * could not be sent is counted here. A funding that a member can have spoiled is halved, until that one stands alone and is set apart.
 */
export function createMender(instance: Instance, options: MenderOptions): Mender {
  const { journal, log, settings } = instance;
  const { follower, cycleId, step, signal, patience, mayWork } = options;
  const gatherMs = Math.min(GATHER_MS, patience.standstillMs);
  const toFund: Mendable[] = [];
  /** Halves of what failed, and wallets that are tried alone: they go as they are. */
  const batches: (readonly Mendable[])[] = [];
  const toRepair: Mendable[] = [];
  const underWay = new Map<string, Sent>();
  const saidLimits = new Set<string>();
  let oldestAt = Infinity;
  let lastMoveAt = performance.now();
  let isClosing = false;
  let running: Promise<void> | null = null;

  const waiting = (): number => toFund.length + toRepair.length + batches.reduce((sum, batch) => sum + batch.length, 0);
  const repairsUnderWay = (): number => [...underWay.values()].filter((sent) => sent.transaction.kind === 'repair').length;
  const call = <T>(work: () => Promise<T>): Promise<T> => persevere(patience, signal, work);
  const moved = (): void => void (lastMoveAt = performance.now());
  const thenRepair = (wallets: readonly Mendable[]): void => void toRepair.push(...wallets.filter((wallet) => wallet.needsRepair));
  const halve = (wallets: readonly Mendable[]): void => {
    const half = Math.ceil(wallets.length / 2);
    batches.push(wallets.slice(0, half), wallets.slice(half));
  };

  const countUnsent = async (kind: 'fund' | 'repair', wallets: readonly Mendable[], errorKind: ErrorKind): Promise<void> => {
    const counter = createCounter();
    counter.error(errorKind, wallets.length);
    if (kind === 'fund') {
      counter.count('flow_funding_needed', wallets.length);
      counter.count('flow_funding_errors', wallets.length);
    }
    await step((db) => saveStep(db, cycleId, counter.take(), null));
  };

  /** A limit is no error: the wallets stay as they are, and a sweep finds them again when it has room. Said once a sweep for each kind. */
  const leaveLimited = async (wallets: readonly Mendable[], why: string): Promise<void> => {
    if (wallets.length === 0) return;
    if (!saidLimits.has(why)) log.warn({ wallets: wallets.length, reason: why, mend: 'nothing to do: `wallet-sync status` shows the limits' }, 'wallets are left as they are: a spending limit is reached');
    saidLimits.add(why);
    for (const { authId, address } of wallets) log.debug({ authId, address, reason: why }, 'wallet left as it is by a limit');
    const counter = createCounter();
    counter.count('limited', wallets.length);
    await step((db) => saveStep(db, cycleId, counter.take(), null));
  };

  /** Those that may be funded now. The others are counted and told; the record's guard counts again. */
  const withinLimits = async (wallets: readonly Mendable[]): Promise<readonly Mendable[]> => {
    const [ended, fits] = await call(() => Promise.all([walletsAtLimit(journal, wallets.map(({ accountId }) => accountId)), fundingsThatFit(journal, settings.FLOW_FUNDING_AMOUNT)]));
    const own = wallets.filter(({ accountId }) => ended.has(accountId));
    const others = wallets.filter(({ accountId }) => !ended.has(accountId));
    await leaveLimited(own, WALLET_LIMIT);
    await leaveLimited(others.slice(fits), ALL_LIMIT);
    thenRepair([...own, ...others.slice(fits)]);
    return others.slice(0, fits);
  };

  const setWalletApart = async (work: ApartFrom, { authId, address }: Mendable, end: End): Promise<void> => {
    log.warn({ authId, address, work, kind: end.errorKind, reason: end.error }, 'wallet set apart: its transaction fails');
    await step((db) => setApart(db, work, address, end.error ?? 'its transaction failed'));
  };

  /** What could not be sent, since no slot is to spare; empty where that is done with. */
  const sendFunding = async (asked: readonly Mendable[]): Promise<readonly Mendable[]> => {
    const wallets = await withinLimits(asked);
    if (wallets.length === 0) return [];
    try {
      const sent = await call(() => fundWallets(instance, follower, wallets.map(({ accountId, address, height }) => ({ accountId, address, balanceHeight: height })), { cycle: cycleId }));
      if (sent === null) return wallets;
      underWay.set(sent.id, { transaction: sent, wallets });
      return [];
    } catch (thrown) {
      const error = toAppError(thrown);
      // What the journal refuses of one is looked for among them. Alone, it has had a deposit since, is being served, or its user is gone: nothing is owed.
      const isRefused = isRefusedMember(error);
      if (isRefused && wallets.length > 1) {
        halve(wallets);
        return [];
      }
      if (isLimitReached(error) || isWalletAtLimit(error)) {
        await leaveLimited(wallets, isWalletAtLimit(error) ? WALLET_LIMIT : ALL_LIMIT);
        thenRepair(wallets);
        return [];
      }
      // Half of them may fit above the funder's floor. Alone, another funder may have it: the slots of this one are out of the rotation now.
      if (isFunderAtFloor(error)) {
        if (wallets.length === 1) return wallets;
        halve(wallets);
        return [];
      }
      log[isRefused ? 'debug' : 'warn']({ wallets: wallets.length, kind: error.kind, reason: error.message, mend: error.mend }, 'funding not sent');
      if (!isRefused) await countUnsent('fund', wallets, error.kind);
      thenRepair(wallets);
      return [];
    }
  };

  const sendRepair = async (wallet: Mendable): Promise<void> => {
    try {
      const sent = await call(() => repairWallet(instance, follower, { ...wallet, makesVault: wallet.lacksVault }, { cycle: cycleId }));
      underWay.set(sent.id, { transaction: sent, wallets: [wallet] });
    } catch (thrown) {
      const error = toAppError(thrown);
      if (isLimitReached(error)) return leaveLimited([wallet], ALL_LIMIT);
      log.warn({ authId: wallet.authId, address: wallet.address, kind: error.kind, reason: error.message, mend: error.mend }, 'repair not sent');
      await countUnsent('repair', [wallet], error.kind);
    }
  };

  /** What was counted as needed and failed is tried again in halves, which count it anew. */
  const afterFunding = async ({ transaction, wallets }: Sent, end: End): Promise<void> => {
    const [only, ...others] = wallets;
    if (end.state === 'failed' && only !== undefined && blamesMember(transaction, end)) {
      if (others.length > 0) {
        const counter = createCounter();
        counter.count('flow_funding_needed', -wallets.length);
        counter.count('flow_funding_errors', -wallets.length);
        await step((db) => saveStep(db, cycleId, counter.take(), null));
        halve(wallets);
        return;
      }
      await setWalletApart('fund', only, end);
    }
    thenRepair(wallets);
  };

  /** What the wallet itself caused will recur: it is set apart. What it did not is looked at again by the next sweep. */
  const afterRepair = async ({ transaction, wallets }: Sent, end: End): Promise<void> => {
    for (const wallet of wallets) {
      if (end.state === 'sealed') {
        await step((db) => endApart(db, 'repair', [wallet.address]));
        continue;
      }
      const counter = createCounter();
      counter.error((end.errorKind ?? 'internal') as ErrorKind);
      await step((db) => saveStep(db, cycleId, counter.take(), null));
      if (end.state === 'failed' && blamesMember(transaction, end)) await setWalletApart('repair', wallet, end);
    }
  };

  const settle = async (): Promise<void> => {
    if (underWay.size === 0) return;
    for (const [id, end] of await call(() => readEnds(journal, [...underWay.keys()]))) {
      const sent = underWay.get(id);
      if (sent === undefined) continue;
      underWay.delete(id);
      moved();
      await (sent.transaction.kind === 'fund' ? afterFunding(sent, end) : afterRepair(sent, end));
    }
  };

  const nextFunding = (): readonly Mendable[] | null => {
    const batch = batches.shift();
    if (batch !== undefined) return batch;
    const isDue = toFund.length >= MAX_DEPOSITS_PER_TRANSACTION || (toFund.length > 0 && (isClosing || performance.now() - oldestAt >= gatherMs));
    return isDue ? toFund.splice(0, MAX_DEPOSITS_PER_TRANSACTION) : null;
  };

  const send = async (): Promise<void> => {
    if (waiting() === 0) return;
    // Renews the lease: who has lost the sweep spends nothing more.
    await step(() => Promise.resolve());
    while (mayWork()) {
      const wallets = nextFunding();
      if (wallets === null) break;
      const unsent = await sendFunding(wallets);
      if (unsent.length > 0) {
        batches.unshift(unsent);
        break;
      }
      moved();
    }
    while (toRepair.length > 0 && repairsUnderWay() < REPAIRS && mayWork()) {
      await sendRepair(toRepair.shift() as Mendable);
      moved();
    }
  };

  const run = async (): Promise<void> => {
    while (waiting() + underWay.size > 0 && mayWork()) {
      await settle();
      await send();
      if (performance.now() - lastMoveAt >= patience.standstillMs) return giveUp();
      await pause(LOOK_MS, undefined, { signal }).catch(() => undefined);
    }
  };

  const giveUp = (): Promise<void> =>
    leave(new AppError('funds', 'no slot of a funder was to spare', { mend: 'wallet-sync funders add-keys, or send FLOW to a funder: `wallet-sync status` shows which are out of rotation' }));

  /** What was found and not sent is for the next sweep. */
  const leave = async (why: AppError): Promise<void> => {
    for (const { transaction, wallets } of underWay.values()) if (transaction.kind === 'fund') thenRepair(wallets);
    if (waiting() > 0) log.warn({ unsent: waiting(), reason: why.message, mend: why.mend }, 'wallets left as they are until the next sweep');
    if (underWay.size > 0) log.warn({ unsettled: underWay.size }, 'the sweep ends before its transactions: they are counted when they settle');
    underWay.clear();
    const unfunded = [...batches.splice(0).flat(), ...toFund.splice(0)];
    const unrepaired = toRepair.splice(0);
    if (unfunded.length > 0) await countUnsent('fund', unfunded, why.kind);
    if (unrepaired.length > 0) await countUnsent('repair', unrepaired, why.kind);
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
      for (const each of findings) {
        if (!each.needsFlow) toRepair.push(each);
        else if (each.fundedAlone) batches.push([each]);
        else toFund.push(each);
      }
      start();
      while (waiting() > ROOM && mayWork()) {
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
      } while (waiting() + underWay.size > 0 && mayWork());
    },
    async stop() {
      await running;
      await leave(new AppError('data', 'the sweep was stopped before its end'));
    },
  };
}

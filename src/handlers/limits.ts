import { readCosts, readStanding, standingToJson, type Costs, type Limits, type Standing } from '../journal/limits.js';
import type { Db } from '../journal/pool.js';
import type { LIMIT_SETTINGS, Settings } from '../settings.js';
import type { Instance } from './instance.js';

/** Where a limit waits for unsettled transactions alone, it is looked at again after this; their settling wakes too. */
const UNKNOWN_MS = 1_000;
/** A wait is broken up, should the database's clock and ours differ. */
const LONGEST_MS = 60_000;
/** Looks at a reached limit come no closer than this, however often somebody signs up. */
const LOOK_MS = 500;

/** The settings that bound what is spent, as the journal keeps them, with what an account is sent. */
export const limitsOf = (settings: Pick<Settings, (typeof LIMIT_SETTINGS)[number] | 'FLOW_FUNDING_AMOUNT'>): Limits => ({
  shortWindowS: settings.LIMIT_SHORT_WINDOW,
  longWindowS: settings.LIMIT_LONG_WINDOW,
  flowShort: settings.LIMIT_FLOW_SHORT,
  flowLong: settings.LIMIT_FLOW_LONG,
  accountsShort: settings.LIMIT_ACCOUNTS_SHORT,
  walletFundingsLong: settings.LIMIT_WALLET_FUNDINGS_LONG,
  walletFundingsEver: settings.LIMIT_WALLET_FUNDINGS_EVER,
  funderFloor: settings.FUNDER_FLOOR,
  accountAmount: settings.FLOW_FUNDING_AMOUNT,
});

/** How many members one transaction may have now, by every limit; Infinity where none is set. `costEach` in 10^-8 FLOW. */
export function membersThatFit(standing: readonly Standing[], makesAccounts: boolean, costEach: bigint, { feeBound }: Costs): number {
  return standing.reduce((least, { name, most, used }) => {
    if (most === null || (name === 'accounts_short' && !makesAccounts)) return least;
    const left = most - used;
    if (name === 'accounts_short') return Math.min(least, Math.max(0, Number(left)));
    if (left < feeBound) return 0;
    return costEach === 0n ? least : Math.min(least, Number((left - feeBound) / costEach));
  }, Number.POSITIVE_INFINITY);
}

/** How many wallets one funding may serve now. */
export async function fundingsThatFit(db: Db, fundingAmount: bigint): Promise<number> {
  return membersThatFit(await readStanding(db, fundingAmount), false, fundingAmount, await readCosts(db));
}

export interface AccountLimits {
  /** How many accounts may be made now. Under the lock that all makers share it is exact but for fundings and repairs, which the record's guard counts too. */
  room(db: Db): Promise<number>;
  /** Milliseconds to wait before it makes sense to look again; 0: look. Says in the log, once each, that a limit is reached and that it is over. */
  wait(): Promise<number>;
  /** The guard has refused a transaction: the next {@link AccountLimits.wait} reads anew. */
  noteRefused(): void;
}

/** The limits as the making of accounts meets them. At a limit nothing fails and nobody is blamed: it waits, and goes on by itself. */
export function createAccountLimits({ journal, settings, log, now }: Pick<Instance, 'journal' | 'settings' | 'log' | 'now'>): AccountLimits {
  const reached = new Set<Standing['name']>();
  let costs: Costs | null = null;
  let lookAt = 0;
  let waitUntil = 0;

  const tell = (standing: readonly Standing[]): void => {
    for (const each of standing) {
      if (each.roomInS === 0) {
        if (reached.delete(each.name)) log.info(standingToJson(each), 'spending limit is over: the work goes on');
        continue;
      }
      if (reached.has(each.name)) continue;
      reached.add(each.name);
      log.warn({ ...standingToJson(each), mend: 'nothing to do: sign-ups go on, and the work when the window has room' }, 'spending limit reached: the work waits');
    }
  };

  return {
    async room(db) {
      costs ??= await readCosts(db);
      return membersThatFit(await readStanding(db, settings.FLOW_FUNDING_AMOUNT), true, settings.FLOW_FUNDING_AMOUNT + costs.accountCost, costs);
    },
    async wait() {
      // The soonest of the two, for what unsettled transactions leave unspent makes room too.
      if (now() < lookAt) return Math.max(0, waitUntil - now());
      const standing = await readStanding(journal, settings.FLOW_FUNDING_AMOUNT);
      tell(standing);
      const waits = standing.map(({ roomInS }) => (roomInS === null ? UNKNOWN_MS : roomInS * 1_000));
      const waitMs = Math.min(LONGEST_MS, Math.ceil(Math.max(0, ...waits)));
      if (waitMs > 0) {
        lookAt = now() + Math.min(LOOK_MS, waitMs);
        waitUntil = now() + waitMs;
      }
      return waitMs;
    },
    noteRefused: () => void (lookAt = 0),
  };
}

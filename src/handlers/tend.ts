import { toAppError } from '../errors.js';
import { anyoneWaiting } from '../journal/assignments.js';
import { anyOutOfRotation } from '../journal/slots.js';
import { checkFunders } from './checkFunders.js';
import type { TransactionFollower } from './followTransactions.js';
import type { Instance } from './instance.js';
import { reckon } from './reckon.js';
import { watchGivenUp } from './watchGivenUp.js';

/** Transactions given up this recently are looked at on each tending; older ones in each sweep. */
const WATCH_MS = 600_000;
/** A node allows 100 reads a second, and users come first. */
const WATCHED = 20;

export interface TendOptions {
  readonly follower: TransactionFollower;
  readonly signal: AbortSignal;
  /** Called where there is something to give or a slot to use again. */
  readonly lookAgain: () => void;
  /** Called where nobody waits: the pool may be short, of accounts that the sign-ups' own transactions took. */
  readonly topUp: () => void;
}

/**
 * What must be looked at between sweeps, by state and not by event: the access node (an idle daemon asks nothing of it), funders
 * that left the rotation, transactions that were given up, and those of which the ledger lacks something. Never throws: each is logged, and looked at again the next time.
 */
export async function tend(instance: Instance, options: TendOptions): Promise<void> {
  const { journal, network, log } = instance;
  const attempt = async (what: string, work: () => Promise<boolean>): Promise<void> => {
    if (options.signal.aborted) return;
    try {
      if (await work()) options.lookAgain();
    } catch (thrown) {
      const error = toAppError(thrown);
      if (!options.signal.aborted) log.debug({ what, kind: error.kind, reason: error.message }, 'not tended');
    }
  };
  // Also keeps a reference block at hand: the next creation need not ask for one.
  await attempt('access node', async () => (await options.follower.referenceBlock(), false));
  await attempt('funders', async () => (await anyOutOfRotation(journal, network.funders.map((funder) => funder.address))) && (await checkFunders(instance, options.signal)) > 0);
  await attempt('given-up transactions', async () => (await watchGivenUp(instance, WATCH_MS, WATCHED)) > 0);
  await attempt('ledger', async () => (await reckon(instance, WATCHED), false));
  await attempt('pool', async () => (!(await anyoneWaiting(journal)) && options.topUp(), false));
}

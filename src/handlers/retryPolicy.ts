import type { AppError, ErrorKind } from '../errors.js';

/** Whose fault a failed transaction can be: one of its members', its slot's key, the account that pays, or nobody's. */
export type Blame = 'member' | 'slot' | 'funder' | 'nobody';

interface Common {
  readonly solution: string;
  readonly blames: Blame;
}

/**
 * What follows from a failure: try again after a pause that doubles from `firstMs` up to `capMs` (full jitter), or wait for an operator.
 * `firstMs` 0: the first time at once, then as from 125 ms.
 */
export type RetryPolicy =
  | ({ readonly action: 'retry'; readonly firstMs: number; readonly capMs: number } & Common)
  | ({ readonly action: 'park' } & Common);

/** The policy for each kind of error: the one place that decides. */
export function retryPolicy(kind: ErrorKind): RetryPolicy {
  switch (kind) {
    case 'rate-limit':
      return { action: 'retry', firstMs: 1_000, capMs: 30_000, blames: 'nobody', solution: 'lower SCRIPT_RPS, TRANSACTION_RPS, EVENT_RPS or READ_RPS, or use an access node of your own' };
    case 'network':
      return { action: 'retry', firstMs: 250, capMs: 15_000, blames: 'nobody', solution: 'check that the peer is up and reachable from here' };
    case 'sequence':
      return { action: 'retry', firstMs: 0, capMs: 1_000, blames: 'nobody', solution: "nothing to do: the number is read again; if it recurs, something else signs with the funder's key" };
    case 'expired':
      return { action: 'retry', firstMs: 0, capMs: 5_000, blames: 'nobody', solution: 'nothing to do: a newer reference block is taken' };
    case 'computation':
      return { action: 'retry', firstMs: 0, capMs: 1_000, blames: 'member', solution: 'nothing to do: the batch is made smaller' };
    case 'funds':
      return { action: 'retry', firstMs: 5_000, capMs: 300_000, blames: 'funder', solution: 'send FLOW to the funding account' };
    case 'data':
      return { action: 'park', blames: 'slot', solution: 'the value named in the error must be mended by hand' };
    case 'chain-state':
      return { action: 'park', blames: 'member', solution: 'look at the transaction on chain; when its cause is mended: wallet-sync retry ID' };
    case 'files':
      return { action: 'park', blames: 'nobody', solution: 'look at the space and the permissions of the place that the error names' };
    case 'usage':
      return { action: 'park', blames: 'nobody', solution: 'mend the setting that the error names and start again' };
    case 'internal':
      return { action: 'park', blames: 'nobody', solution: 'please report it with its log lines' };
  }
}

/** What a pause of 0 doubles from: a failure that recurs must not become a loop without a pause. */
const FIRST_PAUSE_MS = 125;
const PARKED_MS = 60_000;
/** The longest that a timer waits, 24 days: one for longer fires at once, and again, and again. */
const LONGEST_ASKED_MS = 2_147_483_647;

/**
 * How long to wait before attempt number `attempt` (1 is the first retry), in milliseconds; what the peer asked for counts as a minimum.
 * Kinds that are parked are looked at again at the pace of their cap, 60 s: state, not memory, decides whether the cause is gone.
 */
export function retryDelayMs(error: AppError, attempt: number, random: () => number = Math.random): number {
  const policy = retryPolicy(error.kind);
  const asked = Math.min(LONGEST_ASKED_MS, error.retryAfterMs ?? 0);
  if (policy.action === 'park') return Math.max(asked, PARKED_MS);
  const doublings = Math.min(Math.max(attempt - 1, 0), 20);
  const ceiling = Math.min(policy.capMs, doublings === 0 ? policy.firstMs : (policy.firstMs || FIRST_PAUSE_MS) * 2 ** doublings);
  return Math.max(asked, Math.round(random() * ceiling));
}

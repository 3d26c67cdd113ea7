import PQueue from 'p-queue';
import { AppError } from '../errors.js';

/** What an access node counts separately. */
export type CallKind = 'script' | 'transaction' | 'event' | 'read';

export const CALL_KINDS: readonly CallKind[] = ['script', 'transaction', 'event', 'read'];

export interface LimiterOptions {
  /** Calls a second that the access node allows; the limiter stays below. */
  readonly scriptRps: number;
  readonly transactionRps: number;
  readonly eventRps: number;
  readonly readRps: number;
}

export interface Limiter {
  /** Runs the call when its kind has room; higher priority first, default 0. What it throws is passed on. */
  run<T>(kind: CallKind, call: () => Promise<T>, options?: { readonly priority?: number }): Promise<T>;
  /** Starts no call of that kind for so many milliseconds. A longer pause that is under way stays. */
  slowDown(kind: CallKind, forMs: number): void;
  /** Calls started since the beginning, and calls that wait for room. */
  stats(): Record<CallKind, { calls: number; waiting: number }>;
}

/** A pause after a rate-limit answer that names none; a server's bucket is full again after one second. */
const DEFAULT_PAUSE_MS = 1_000;
/** No answer may stop the daemon for longer: a server that means it says so again. */
const MAX_PAUSE_MS = 30_000;

/**
 * How many calls a window of one second gets of an allowed rate. A tenth stays free (of 5 a second: one): calls that the network
 * delays differently arrive closer together than they were sent, up to 200 ms at 50 a second before a bucket of that size runs dry.
 */
export function callsPerWindow(rps: number): number {
  return Math.max(1, Math.floor(rps * 0.9));
}

/**
 * Keeps all calls of this process below the access node's limits: a sliding window of one second for each kind.
 * A rate-limit error thrown by a call pauses its whole kind, since others would only be refused as well. Throws `usage` for a rate
 * that is not above zero.
 */
export function createLimiter(options: LimiterOptions): Limiter {
  const rates: Record<CallKind, number> = { script: options.scriptRps, transaction: options.transactionRps, event: options.eventRps, read: options.readRps };
  const lanes = new Map(CALL_KINDS.map((kind) => [kind, createLane(kind, rates[kind])]));
  const lane = (kind: CallKind): Lane => lanes.get(kind) ?? createLane(kind, rates[kind]);

  return {
    run: (kind, call, o = {}) => lane(kind).run(call, o.priority ?? 0),
    slowDown: (kind, forMs) => lane(kind).pause(forMs),
    stats: () => ({ script: lane('script').stats(), transaction: lane('transaction').stats(), event: lane('event').stats(), read: lane('read').stats() }),
  };
}

interface Lane {
  run<T>(call: () => Promise<T>, priority: number): Promise<T>;
  pause(forMs: number): void;
  stats(): { calls: number; waiting: number };
}

function createLane(kind: CallKind, rps: number): Lane {
  if (!(rps > 0)) throw new AppError('usage', `a rate is above zero, not ${rps}`, { where: `${kind} calls a second` });
  // Below one call a second the window grows instead.
  const interval = rps < 1 ? Math.ceil(1_000 / rps) : 1_000;
  const queue = new PQueue({ intervalCap: callsPerWindow(rps), interval, strict: true });
  let calls = 0;
  let pausedUntil = 0;
  let resuming: NodeJS.Timeout | undefined;

  function pause(forMs: number): void {
    const until = Date.now() + Math.min(Math.max(0, forMs), MAX_PAUSE_MS);
    if (until <= pausedUntil) return;
    pausedUntil = until;
    queue.pause();
    clearTimeout(resuming);
    resuming = setTimeout(() => queue.start(), until - Date.now());
  }

  async function run<T>(call: () => Promise<T>, priority: number): Promise<T> {
    return queue.add(
      async () => {
        calls += 1;
        try {
          return await call();
        } catch (error) {
          if (error instanceof AppError && error.kind === 'rate-limit') pause(error.retryAfterMs ?? DEFAULT_PAUSE_MS);
          throw error;
        }
      },
      { priority },
    );
  }

  return { run, pause, stats: () => ({ calls, waiting: queue.size }) };
}

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
  /** A limit shared with other processes, passed by each call beside this one's own. Default: none. */
  readonly gate?: Gate;
  /** Told of each call as it starts, with how long it has waited for room. */
  readonly onStart?: (kind: CallKind, waitedMs: number) => void;
}

/** What each call enters before it starts. */
export interface Gate {
  /** Resolves when the call may start at once; what it gives is called when the call has ended. What it throws, the call throws. */
  enter(kind: CallKind): Promise<() => Promise<void>>;
  /** Lets no call of that kind start for so many milliseconds, of any process. */
  pause(kind: CallKind, forMs: number): Promise<void>;
}

export interface Limiter {
  /** Runs the call when its kind has room; higher priority first, default 0. What it throws is passed on. */
  run<T>(kind: CallKind, call: () => Promise<T>, options?: { readonly priority?: number }): Promise<T>;
  /** Starts no call of that kind for so many milliseconds, nor does any other process behind the same gate. A longer pause that is under way stays. */
  slowDown(kind: CallKind, forMs: number): void;
  /** Calls started since the beginning, and calls that wait for room. */
  stats(): Record<CallKind, { calls: number; waiting: number }>;
}

/** A pause after a rate-limit answer that names none; a server's bucket is full again after one second. */
const DEFAULT_PAUSE_MS = 1_000;
/** No answer may stop the daemon for longer: a server that means it says so again. */
const MAX_PAUSE_MS = 30_000;

/**
 * A call's place is free again so long after its end. One second is the server's; the rest is for timers that fire early.
 * From the end, not the start: the server counts a call when it arrives, which is anywhere in between. Counted from the start, calls
 * delayed by a slow network or a busy process arrive in a bunch with the next ones (seen: 429 at 4 scripts a second of 5 allowed,
 * on a loaded machine). So no window of one second ever sees more than the rate, and a bucket of that size never runs dry. The
 * price: calls that take L seconds run at rate / (1 + L).
 */
export const HOLD_MS = 1_020;

/**
 * Keeps all calls of this process below the access node's limits, for each kind by itself; with a gate, those of all processes that share it.
 * A rate-limit error thrown by a call pauses its whole kind, since others would only be refused as well. Throws `usage` for a rate
 * that is not above zero.
 */
export function createLimiter(options: LimiterOptions): Limiter {
  const rates: Record<CallKind, number> = { script: options.scriptRps, transaction: options.transactionRps, event: options.eventRps, read: options.readRps };
  const lanes = new Map(CALL_KINDS.map((kind) => [kind, createLane(kind, rates[kind], options)]));
  const lane = (kind: CallKind): Lane => lanes.get(kind) ?? createLane(kind, rates[kind], options);

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

interface WaitingCall {
  readonly priority: number;
  /** Resolves when the call has ended, however. */
  start(): Promise<void>;
  fail(error: unknown): void;
}

function createLane(kind: CallKind, rps: number, { gate, onStart }: Pick<LimiterOptions, 'gate' | 'onStart'>): Lane {
  if (!(rps > 0)) throw new AppError('usage', `a rate is above zero, not ${rps}`, { where: `${kind} calls a second` });
  const places = Math.max(1, Math.floor(rps));
  // Below one call a second the one place is held longer instead.
  const holdMs = HOLD_MS * Math.max(1, 1 / rps);
  const queue = new PQueue({ concurrency: places });
  const holding = new Set<NodeJS.Timeout>();
  /** The most urgent first; of the same priority, the oldest. */
  const waiting: WaitingCall[] = [];
  let calls = 0;
  let pausedUntil = 0;
  let resuming: NodeJS.Timeout | undefined;

  function pause(forMs: number): void {
    const pauseMs = Math.min(Math.max(0, forMs), MAX_PAUSE_MS);
    const until = Date.now() + pauseMs;
    if (until <= pausedUntil) return;
    // Where this fails, others hear of it from the access node itself.
    gate?.pause(kind, pauseMs).catch(() => undefined);
    pausedUntil = until;
    queue.pause();
    clearTimeout(resuming);
    resuming = setTimeout(() => queue.start(), until - Date.now());
  }

  /** Held places alone keep no process alive; a call that waits for one does. */
  function holdPlace(): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        holding.delete(timer);
        resolve();
      }, holdMs);
      if (queue.size === 0) timer.unref();
      holding.add(timer);
    });
  }

  /** A pause can begin while the gate is asked: what it grants then is given back. */
  async function enterGate(through: Gate): Promise<() => Promise<void>> {
    for (;;) {
      const leave = await through.enter(kind);
      const leftMs = pausedUntil - Date.now();
      if (leftMs <= 0) return leave;
      leaveGate(leave);
      await new Promise((resolve) => setTimeout(resolve, leftMs));
    }
  }

  /** Holds a place for one call: the most urgent one when it may start, which can have come later than the one that asked for the place. */
  async function usePlace(): Promise<void> {
    let leave: (() => Promise<void>) | undefined;
    try {
      if (gate !== undefined) leave = await enterGate(gate);
    } catch (error) {
      waiting.shift()?.fail(error);
      return;
    }
    await waiting.shift()?.start();
    if (leave !== undefined) leaveGate(leave);
    await holdPlace();
  }

  function run<T>(call: () => Promise<T>, priority: number): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const askedAt = performance.now();
      async function start(): Promise<void> {
        calls += 1;
        onStart?.(kind, performance.now() - askedAt);
        try {
          resolve(await call());
        } catch (error) {
          if (error instanceof AppError && error.kind === 'rate-limit') pause(error.retryAfterMs ?? DEFAULT_PAUSE_MS);
          reject(error as Error);
        }
      }
      waiting.splice(waiting.findLastIndex((other) => other.priority >= priority) + 1, 0, { priority, start, fail: reject });
      queue.add(usePlace).catch(reject);
      if (queue.size > 0) for (const timer of holding) timer.ref();
    });
  }

  return { run, pause, stats: () => ({ calls, waiting: waiting.length }) };
}

/** Not waited for, and a failure is nobody's: the gate's lease on the place ends by itself. */
function leaveGate(leave: () => Promise<void>): void {
  leave().catch(() => undefined);
}

import { asyncScheduler, retry, timer, type MonoTypeOperatorFunction, type SchedulerLike } from 'rxjs';

export interface BackoffOptions {
  /** Ceiling of the first delay, in milliseconds. */
  readonly firstMs: number;
  /** Ceiling of every delay, in milliseconds. */
  readonly capMs: number;
  /** A number in [0, 1), as Math.random gives. */
  readonly random: () => number;
}

export interface Backoff {
  /** The delay before the next attempt, in milliseconds. */
  next(): number;
  /** The peer has proved itself: the next failure is a first one again. */
  reset(): void;
}

/** No delay is shorter: a full jitter may draw 0, and a peer that fails at once would then be called without a pause. */
const FLOOR_MS = 20;

/**
 * The delay before attempt number `attempt` (0 is the first retry), in milliseconds: drawn evenly from 0 up to a ceiling that doubles
 * ("full jitter"), so that instances that lost the same server do not come back to it together.
 *
 * Ceilings for firstMs 500 and capMs 30,000: 500, 1000, 2000, 4000, 8000, 16000, 30000, 30000, …; the mean delay is half of that.
 */
export function backoffDelay(attempt: number, options: BackoffOptions): number {
  // 2 ** 30 firstMs is beyond any cap, and a larger exponent would end in Infinity.
  const ceiling = Math.min(options.capMs, options.firstMs * 2 ** Math.min(attempt, 30));
  return Math.max(FLOOR_MS, Math.floor(options.random() * ceiling));
}

/** Counts the attempts of one source. */
export function createBackoff(options: BackoffOptions): Backoff {
  let attempt = 0;
  return {
    next: () => backoffDelay(attempt++, options),
    reset: () => {
      attempt = 0;
    },
  };
}

export interface RetryForeverOptions {
  readonly backoff: Backoff;
  /** Told of every failure and of the pause (milliseconds) that follows it. Must not throw. */
  readonly onFailure: (error: unknown, delayMs: number) => void;
  readonly scheduler?: SchedulerLike;
}

/** Subscribes to a failed source again after a jittered pause, for ever: the result never errors. */
export function retryForever<T>({ backoff, onFailure, scheduler = asyncScheduler }: RetryForeverOptions): MonoTypeOperatorFunction<T> {
  return retry({
    delay: (error: unknown) => {
      const delayMs = backoff.next();
      onFailure(error, delayMs);
      return timer(delayMs, scheduler);
    },
  });
}

import { setTimeout as delay } from 'node:timers/promises';
import { toAppError, type AppError } from '../errors.js';
import type { Log } from '../log.js';

export interface Patience {
  /** Attempts in all. */
  readonly attempts: number;
  /** Ceiling of the first pause, and of every pause, in milliseconds. It doubles; what is waited is drawn evenly below it. */
  readonly firstMs: number;
  readonly capMs: number;
}

/** 23 s of pauses on average, 46 at most, before a listing is given up, and the sweep with it. */
export const PATIENT: Patience = { attempts: 9, firstMs: 250, capMs: 15_000 };

/** No pause is shorter: a peer that fails at once would be called without a pause. */
const FLOOR_MS = 20;
/** A peer that asks for a longer wait is left alone: the next sweep comes by itself. */
const LONGEST_WAIT_MS = 120_000;

/**
 * Repeats what failed for a reason that passes (`network`, `rate-limit`), after a pause, and not before the time that the peer asked for. Throws the
 * last failure, any other at once, and the signal's reason once it is aborted.
 */
export async function persevere<T>(work: () => Promise<T>, { signal, log, patience = PATIENT }: { signal: AbortSignal; log: Log; patience?: Patience }): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    signal.throwIfAborted();
    try {
      return await work();
    } catch (thrown) {
      signal.throwIfAborted();
      const error = toAppError(thrown);
      if (attempt >= patience.attempts || !passes(error)) throw error;
      const delayMs = Math.max(FLOOR_MS, error.retryAfterMs ?? 0, Math.round(Math.random() * Math.min(patience.capMs, patience.firstMs * 2 ** (attempt - 1))));
      log.warn({ reason: error.message, attempt, delayMs }, 'the Auth server is asked again');
      await delay(delayMs, undefined, { signal }).catch(() => signal.throwIfAborted());
    }
  }
}

const passes = (error: AppError): boolean => ['network', 'rate-limit'].includes(error.kind) && (error.retryAfterMs ?? 0) <= LONGEST_WAIT_MS;

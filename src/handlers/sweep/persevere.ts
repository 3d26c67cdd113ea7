import { setTimeout as pause } from 'node:timers/promises';
import { AppError, toAppError } from '../../errors.js';
import { retryDelayMs } from '../retryPolicy.js';

/** How often a sweep tries one thing, and how long it waits in between at most. */
export interface Patience {
  readonly attempts: number;
  readonly waitMs: number;
  /** With nothing sent and nothing settled for so long, a sweep leaves what is left: unsent for the next one, unsettled for its settlers. */
  readonly standstillMs: number;
}

/** About two minutes of a peer that is away; then the sweep is broken off, and the next one resumes it. */
export const PATIENCE: Patience = { attempts: 12, waitMs: 15_000, standstillMs: 60_000 };

/** What time may mend. */
const PASSING: readonly AppError['kind'][] = ['network', 'rate-limit'];

/** Runs `work`, again where it failed for a reason that passes. Throws its last error, or the first that does not pass or on which `givesUp`. */
export async function persevere<T>(patience: Patience, signal: AbortSignal, work: () => Promise<T>, givesUp: (error: AppError, attempt: number) => boolean = () => false): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    if (signal.aborted) throw new AppError('network', 'stopped', { where: 'sweep' });
    try {
      return await work();
    } catch (thrown) {
      const error = toAppError(thrown);
      if (!PASSING.includes(error.kind) || attempt >= patience.attempts || signal.aborted || givesUp(error, attempt)) throw error;
      await pause(Math.min(patience.waitMs, retryDelayMs(error, attempt)), undefined, { signal }).catch(() => undefined);
    }
  }
}

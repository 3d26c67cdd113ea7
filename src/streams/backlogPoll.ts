import { EMPTY, asyncScheduler, catchError, defer, exhaustMap, filter, from, map, take, timeout, timer, type Observable, type ObservableInput, type SchedulerLike } from 'rxjs';
import type { Log } from '../log.js';
import type { Signal } from './signal.js';

export interface BacklogPollOptions {
  /** Pause between polls, in milliseconds (BACKLOG_POLL). */
  readonly everyMs: number;
  /** Whether any user waits for an account. Must be cheap: an index answers it. */
  readonly anyoneWaiting: () => ObservableInput<boolean>;
  /** A question without an answer is given up after so many milliseconds, or the poll would be mute for ever. Default 30,000. */
  readonly answerWithinMs?: number;
  readonly log: Log;
  readonly scheduler?: SchedulerLike;
}

/**
 * Asks at each interval whether anyone waits, and rings when someone does, whatever the other sources say: they buy latency, this one certainty.
 * A poll never begins while the last one is unanswered. One that fails is logged, and the next is tried. Never completes, never errors.
 */
export function createBacklogPoll({ everyMs, anyoneWaiting, answerWithinMs = 30_000, log, scheduler = asyncScheduler }: BacklogPollOptions): Observable<Signal> {
  return timer(everyMs, everyMs, scheduler).pipe(
    // What an unanswered poll makes us skip is not lost: the next one asks about the same rows.
    exhaustMap(() =>
      defer(() => from(anyoneWaiting())).pipe(
        take(1),
        timeout({ each: answerWithinMs, scheduler }),
        catchError((error: unknown) => {
          log.warn({ err: error }, 'backlog poll failed');
          return EMPTY;
        }),
      ),
    ),
    filter((isAnyone) => isAnyone),
    map((): Signal => ({ kind: 'user', authId: null, source: 'poll' })),
  );
}

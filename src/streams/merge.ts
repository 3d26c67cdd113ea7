import { Subject, asyncScheduler, connectable, defer, filter, merge, tap, type Observable, type SchedulerLike, type Subscription } from 'rxjs';
import type { Log } from '../log.js';
import { createBackoff, retryForever } from './backoff.js';
import type { ControlCommand, Signal } from './signal.js';
import { throttleKept } from './throttleKept.js';

export interface NamedSource {
  /** For the log. */
  readonly name: string;
  readonly signals$: Observable<Signal>;
}

export interface MergeOptions {
  readonly log: Log;
  /** Window of the throttle of sweeps, of "the control row changed" and of each repeated resync command, in milliseconds. Default 5,000. */
  readonly throttleMs?: number;
  /** A source that failed is subscribed to again after a jittered pause, in milliseconds. Defaults 1,000 and 60,000. */
  readonly firstDelayMs?: number;
  readonly capDelayMs?: number;
  readonly random?: () => number;
  readonly scheduler?: SchedulerLike;
}

export type UserSignal = Extract<Signal, { kind: 'user' }>;
export type SweepSignal = Extract<Signal, { kind: 'sweep' }>;
export type ControlSignal = Extract<Signal, { kind: 'control' }>;

export interface MergedSignals {
  /** Every user signal, unthrottled: each must lead to a look, and whoever looks collapses them (`coalesceWhileBusy`). */
  readonly users$: Observable<UserSignal>;
  /** At most one per window, the first at once, the last never lost. */
  readonly sweeps$: Observable<SweepSignal>;
  /** "The control row changed" throttled like sweeps; commands as `toThrottleKey` says. */
  readonly controls$: Observable<ControlSignal>;
  /** Every signal, unthrottled, for counting. */
  readonly all$: Observable<Signal>;
  /** Subscribes to all sources, once. Call it when everyone listens: some sources emit at once. Its subscription stops them. */
  connect(): Subscription;
}

/**
 * One shared stream of all sources, split by kind. One failing source never ends the others: it is logged and tried again after a pause, for ever.
 * A source that completes is done; the streams complete when all have.
 */
export function mergeSources(sources: readonly NamedSource[], options: MergeOptions): MergedSignals {
  const { log, throttleMs = 5_000, firstDelayMs = 1_000, capDelayMs = 60_000, random = Math.random, scheduler = asyncScheduler } = options;

  const keepAlive = ({ name, signals$ }: NamedSource): Observable<Signal> => {
    const backoff = createBackoff({ firstMs: firstDelayMs, capMs: capDelayMs, random });
    let begunAt = 0;
    return defer(() => {
      begunAt = scheduler.now();
      return signals$;
    }).pipe(
      // A source that lived longer than the longest pause had recovered. One that only emits before it fails again had not.
      tap({ error: () => scheduler.now() - begunAt > capDelayMs && backoff.reset() }),
      retryForever({
        backoff,
        onFailure: (error, delayMs) => {
          log.error({ err: error, source: name, retryInMs: delayMs }, 'source failed');
        },
        scheduler,
      }),
    );
  };

  const all$ = connectable(merge(...sources.map(keepAlive)), { connector: () => new Subject<Signal>() });
  return {
    users$: all$.pipe(filter((signal) => signal.kind === 'user')),
    sweeps$: all$.pipe(
      filter((signal) => signal.kind === 'sweep'),
      throttleKept({ windowMs: throttleMs, scheduler }),
    ),
    controls$: all$.pipe(
      filter((signal) => signal.kind === 'control'),
      throttleKept({ windowMs: throttleMs, keyOf: ({ command }) => toThrottleKey(command), scheduler }),
    ),
    all$,
    connect: () => all$.connect(),
  };
}

/**
 * What a control signal shares its throttle with; null for none.
 * A first resync, and each user's, goes at once and in order; repeats of the same one collapse to the last.
 * `pause` and `resume` never wait: a pause held back could come after a resume that was given by another way, and undo it.
 */
function toThrottleKey(command: ControlCommand | null): string | null {
  if (command === null) return 'row changed';
  if (command.name !== 'resync') return null;
  return 'authId' in command ? `resync:${command.authId}` : 'resync';
}

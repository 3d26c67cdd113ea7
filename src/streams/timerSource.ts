import { asyncScheduler, defer, map, timer, type Observable, type SchedulerLike } from 'rxjs';
import type { Signal } from './signal.js';

export interface TimerSourceOptions {
  /** Pause between sweeps, in milliseconds (SYNC_INTERVAL). */
  readonly intervalMs: number;
  /** A number in [0, 1), as Math.random gives. */
  readonly random: () => number;
  readonly scheduler?: SchedulerLike;
}

/** Asks for a sweep at each interval. The first comes after a random part of one, so that instances started together do not sweep together. */
export function createTimerSource({ intervalMs, random, scheduler = asyncScheduler }: TimerSourceOptions): Observable<Signal> {
  return defer(() => timer(Math.floor(random() * intervalMs), intervalMs, scheduler)).pipe(
    map((): Signal => ({ kind: 'sweep', reason: 'interval', source: 'timer' })),
  );
}

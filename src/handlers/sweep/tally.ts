import type { ErrorKind } from '../../errors.js';
import type { Stage, Tally } from '../../journal/cycles.js';

type Counted = Tally['counts'];

/** Collects what one step adds to the cycle's record. */
export interface Counter {
  count(name: keyof Counted, by?: number): void;
  error(kind: ErrorKind, by?: number): void;
  call(kind: string): void;
  /** Runs `work` and adds its time to a stage. */
  timed<T>(stage: Stage, work: () => Promise<T>): Promise<T>;
  /** What was collected since the last call. */
  take(): Tally;
}

/** Begins at nothing. */
export function createCounter(): Counter {
  let counts: Partial<Record<keyof Counted, number>> = {};
  let calls: Record<string, number> = {};
  let errors: Record<string, number> = {};
  let stages: Record<string, number> = {};
  const add = (to: Record<string, number>, name: string, by: number): void => {
    if (by !== 0) to[name] = (to[name] ?? 0) + by;
  };
  return {
    count: (name, by = 1) => add(counts, name, by),
    error: (kind, by = 1) => add(errors, kind, by),
    call: (kind) => add(calls, kind, 1),
    async timed(stage, work) {
      const startedAt = performance.now();
      try {
        return await work();
      } finally {
        add(stages, stage, Math.round(performance.now() - startedAt));
      }
    },
    take() {
      const taken = { counts, calls, errors, stages };
      [counts, calls, errors, stages] = [{}, {}, {}, {}];
      return taken;
    },
  };
}

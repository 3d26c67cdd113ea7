/** One figure of a benchmark, with what it must reach. */
export interface Figure {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  /** In words; null where the figure is only shown. */
  readonly target: string | null;
  /** Null where there is no target. */
  readonly met: boolean | null;
  /** Of a figure that compares contenders of one run, and so can be compared between runs: which way is better. */
  readonly better?: 'higher' | 'lower';
}

/** What one contender's rounds gave, all of one unit. */
export interface Series {
  /** Ours begins with "this": charts show it in its own colour. */
  readonly contender: string;
  readonly unit: string;
  readonly samples: readonly number[];
}

export interface Outcome {
  readonly figures: readonly Figure[];
  /** Every sample, as the result file keeps it. */
  readonly series: readonly Series[];
  /** What a reader must know to read the figures rightly: sizes, what was extrapolated, where the time goes. */
  readonly remarks: readonly string[];
}

export interface BenchContext {
  /** A short run that shows that the benchmark works; its figures are not kept. */
  readonly isQuick: boolean;
  /** `done` is 0 to 1 of the benchmark; left out where it is not known. `detail` is what changes while the step lasts. */
  say(step: string, done?: number, detail?: string): void;
  /** Gets what stops or removes something that the benchmark has started; called last first, whatever becomes of it. */
  onEnd(stop: () => Promise<unknown>): void;
  /** Rejects when somebody interrupts the run. */
  readonly interrupted: Promise<never>;
}

export interface Benchmark {
  /** Of its result file, and on the command line. */
  readonly name: string;
  readonly title: string;
  /** One sentence. */
  readonly measures: string;
  /** Throws where a contender did not do its work: what is measured is verified. */
  run(context: BenchContext): Promise<Outcome>;
}

/** A figure with a target. */
export function promised(name: string, value: number, unit: string, target: string, met: boolean, better?: 'higher' | 'lower'): Figure {
  return { name, value, unit, target, met, ...(better === undefined ? {} : { better }) };
}

/** A figure that is only shown. */
export function shown(name: string, value: number, unit: string, better?: 'higher' | 'lower'): Figure {
  return { name, value, unit, target: null, met: null, ...(better === undefined ? {} : { better }) };
}

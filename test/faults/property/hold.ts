import fc from 'fast-check';
import { expect } from 'vitest';
import { shape, type Command, type Shape } from './commands.js';
import { Violation } from './invariants.js';
import { trace } from './play.js';
import { describe, shrink, type Counterexample } from './shrink.js';

export interface HoldOptions {
  readonly commands: fc.Arbitrary<Command[]>;
  /** Plays one run; throws a {@link Violation} where it breaks a law. */
  readonly play: (shape: Shape, commands: readonly Command[]) => Promise<void>;
  /** As many runs as fit. */
  readonly withinMs: number;
  /** Fewer say too little. */
  readonly runsAtLeast: number;
}

const RUNS_AT_MOST = 2_000;
/** A run takes about a second, and this many runs make a counterexample small. */
const SHRINK_WITHIN_MS = 45_000;

/**
 * Plays random runs for so long. Throws at the first that breaks a law: with the run made small, what its instances logged, and
 * PROPERTY_SEED and PROPERTY_PATH, which play the same run again when they are set. PROPERTY_SEED alone plays the same runs.
 */
export async function hold(options: HoldOptions): Promise<void> {
  const { play } = options;
  const seed = Number(process.env['PROPERTY_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
  const path = process.env['PROPERTY_PATH'];
  let runs = 0;
  let broken: Counterexample | null = null;
  const deadline = Date.now() + options.withinMs;
  const property = fc.asyncProperty(shape, options.commands, async (shape, commands) => {
    // fast-check's own time limit would leave a run behind that goes on.
    if (Date.now() > deadline) return;
    try {
      await play(shape, commands);
    } catch (error) {
      if (error instanceof Violation) broken = { shape, commands, violation: error };
      throw error;
    }
    runs += 1;
  });
  const result = await fc.check(property, { seed, numRuns: RUNS_AT_MOST, endOnFailure: true, ...(path === undefined ? {} : { path }) });
  const replay = `PROPERTY_SEED=${seed} PROPERTY_PATH=${result.counterexamplePath ?? ''}`;
  if (result.failed) {
    if (broken === null) throw new Error([replay, ...trace].join('\n'), { cause: result.errorInstance });
    const example = await shrink(broken, { play, withinMs: SHRINK_WITHIN_MS });
    // The trace of the smallest run that breaks it, not of the last one tried.
    await play(example.shape, example.commands).catch(() => undefined);
    throw new Error([replay, describe(example), ...trace].join('\n'));
  }
  process.stdout.write(`${runs} runs, PROPERTY_SEED=${seed}\n`);
  expect(runs, replay).toBeGreaterThanOrEqual(path === undefined ? options.runsAtLeast : 1);
}

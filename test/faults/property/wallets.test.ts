import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { loadFcl } from '../../../src/flow/fcl.js';
import { commands, shape, type Command, type Shape } from './commands.js';
import { Violation } from './invariants.js';
import { playRun, startPropertyDatabase, trace, type PropertyDatabase } from './play.js';
import { describe, shrink, type Counterexample } from './shrink.js';

/** As many runs as fit, with room for a counterexample to be made small within three minutes. */
const TIME_LIMIT_MS = 110_000;
const SHRINK_WITHIN_MS = 45_000;
/** Fewer say too little. */
const RUNS_AT_LEAST = 30;

let property: PropertyDatabase;
beforeAll(async () => {
  await loadFcl();
  property = await startPropertyDatabase();
});
afterAll(() => property?.stop());

// PROPERTY_SEED and PROPERTY_PATH, as a failure prints them, play its run again.
test('whatever happens, in whatever order, every invariant holds after each step, and in the end each user has one wallet', async () => {
  const seed = Number(process.env['PROPERTY_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
  const path = process.env['PROPERTY_PATH'];
  let runs = 0;
  let broken: Counterexample | null = null;
  const play = (shape: Shape, commands: readonly Command[]): Promise<void> => playRun(property, shape, commands);
  const result = await fc.check(
    fc.asyncProperty(shape, commands, async (shape, commands) => {
      try {
        await play(shape, commands);
      } catch (error) {
        if (error instanceof Violation) broken = { shape, commands, violation: error };
        throw error;
      }
      runs += 1;
    }),
    { seed, numRuns: 10_000, interruptAfterTimeLimit: TIME_LIMIT_MS, markInterruptAsFailure: false, endOnFailure: true, ...(path === undefined ? {} : { path }) },
  );
  const replay = `PROPERTY_SEED=${seed} PROPERTY_PATH=${result.counterexamplePath ?? ''}`;
  if (result.failed) {
    const example = broken === null ? null : await shrink(broken, { play, withinMs: SHRINK_WITHIN_MS });
    // The trace of the smallest run that breaks it, not of the last one tried.
    if (example !== null) await play(example.shape, example.commands).catch(() => undefined);
    throw new Error([replay, example === null ? String(result.errorInstance) : describe(example), ...trace].join('\n'));
  }
  process.stdout.write(`${runs} runs, PROPERTY_SEED=${seed}\n`);
  expect(runs, replay).toBeGreaterThanOrEqual(path === undefined ? RUNS_AT_LEAST : 1);
});

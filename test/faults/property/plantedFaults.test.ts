import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { loadFcl } from '../../../src/flow/fcl.js';
import { calmCommands, commands, shape, type Command, type Shape } from './commands.js';
import { Violation } from './invariants.js';
import { PLANTED_FAULTS, type PlantedFault } from './plants.js';
import { playRun, startPropertyDatabase, type PropertyDatabase } from './play.js';
import { describe, shrink, type Counterexample } from './shrink.js';

/** In their order, until one finds the fault; the first does as a rule. */
const SEEDS = [7, 6, 2];
const RUNS_A_SEED = 60;
const SHRINK_WITHIN_MS = 8_000;

let property: PropertyDatabase;
beforeAll(async () => {
  await loadFcl();
  property = await startPropertyDatabase();
});
afterAll(() => property?.stop());

for (const fault of PLANTED_FAULTS) {
  const law = typeof fault.invariant === 'number' ? `invariant ${fault.invariant}` : `the ${fault.invariant}`;
  test(`finds a planted fault of ${law}: ${fault.what}`, async () => {
    const restore = await fault.install?.(property.database);
    try {
      const play = (shape: Shape, commands: readonly Command[]): Promise<void> => playRun(property, shape, commands, { plant: fault, isCalm: fault.isCalm === true });
      const found = await search(fault, play);
      expect(found, `not found in ${SEEDS.length * RUNS_A_SEED} runs`).not.toBeNull();
      if (found === null) return;
      const smallest = await shrink(found.example, { play, withinMs: SHRINK_WITHIN_MS });
      process.stdout.write(`planted: ${fault.what}; seed ${found.seed}, run ${found.run}:\n${describe(smallest)}\n`);
    } finally {
      await restore?.();
    }
  });
}

/** The first run that breaks the fault's law. */
async function search(fault: PlantedFault, play: (shape: Shape, commands: readonly Command[]) => Promise<void>): Promise<{ example: Counterexample; seed: number; run: number } | null> {
  for (const seed of SEEDS) {
    let run = 0;
    let example: Counterexample | null = null;
    const attempt = async (shape: Shape, commands: readonly Command[]): Promise<void> => {
      run += 1;
      try {
        await play(shape, commands);
      } catch (error) {
        // Another law can break first; this search is for one.
        if (error instanceof Violation && error.invariant !== fault.invariant) return;
        if (error instanceof Violation) example = { shape, commands, violation: error };
        throw error;
      }
    };
    const result = await fc.check(fc.asyncProperty(shape, fault.isCalm === true ? calmCommands : commands, attempt), { seed, numRuns: RUNS_A_SEED, endOnFailure: true });
    if (example !== null) return { example, seed, run };
    if (result.failed) throw result.errorInstance;
  }
  return null;
}

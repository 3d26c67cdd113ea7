import fc from 'fast-check';
import type { Command, Shape } from './commands.js';
import { Violation } from './invariants.js';

/** A run that breaks an invariant. */
export interface Counterexample {
  readonly shape: Shape;
  readonly commands: readonly Command[];
  readonly violation: Violation;
}

export interface ShrinkOptions {
  /** Plays a run; throws where it breaks an invariant. */
  readonly play: (shape: Shape, commands: readonly Command[]) => Promise<void>;
  /** No new run after this. */
  readonly withinMs: number;
}

/**
 * Makes a counterexample as small as the time allows: whole stretches of commands are left out, shorter ones in turn, then instances,
 * and halts. fast-check's own shrinking takes one value at a time, which is too slow where a run takes a second.
 */
export async function shrink(from: Counterexample, options: ShrinkOptions): Promise<Counterexample> {
  const deadline = Date.now() + options.withinMs;
  let best = from;

  /** Whether it breaks the same invariant still; then it is the best so far. */
  const attempt = async (shape: Shape, commands: readonly Command[]): Promise<boolean> => {
    if (Date.now() > deadline) return false;
    try {
      await options.play(shape, commands);
      return false;
    } catch (error) {
      if (!(error instanceof Violation)) throw error;
      if (error.invariant !== from.violation.invariant) return false;
      best = { shape, commands, violation: error };
      return true;
    }
  };

  // What comes after the break has no part in it.
  if (from.violation.after !== null) await attempt(from.shape, from.commands.slice(0, from.violation.after + 1));
  for (let size = Math.ceil(best.commands.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    // From the end, so that what is left out moves nothing that is still to be tried.
    for (let start = best.commands.length - size; start > -size; start -= size) {
      await attempt(best.shape, best.commands.filter((_, i) => i < start || i >= start + size));
    }
  }
  for (const simpler of [{ users: 0 }, { provision: 'all' as const }, { assign: 'daemon' as const }, { poolSize: 0 }, { instances: 1 }, { instances: 2 }, { funderKeys: 1 }]) {
    if (JSON.stringify({ ...best.shape, ...simpler }) !== JSON.stringify(best.shape)) await attempt({ ...best.shape, ...simpler }, best.commands);
  }
  for (let i = 0; i < best.commands.length; i++) {
    const each = best.commands[i];
    if (each?.do === 'step' && each.halt !== null) await attempt(best.shape, best.commands.with(i, { ...each, halt: null }));
  }
  return best;
}

/** As a person reads it: the broken invariant, how the run started, and each command. */
export function describe(example: Counterexample): string {
  return [example.violation.message, `  ${fc.stringify(example.shape)}`, ...example.commands.map((command) => `  ${JSON.stringify(command)}`)].join('\n');
}

import type { Figure } from './benchmark.js';
import type { Result } from './result.js';

/** A ratio that falls by more than this share has become worse; less lies within what rounds on a shared machine differ by. */
export const TOLERATED = 0.2;

export interface Fall {
  readonly figure: string;
  readonly before: number;
  readonly now: number;
}

/** Null where it was not measured. */
const valueOf = (kept: Result | undefined, name: string): number | null => kept?.figures.find((each) => each.name === name)?.value ?? null;

/** Ratios of this run that cannot be compared: no result, or none of them, is kept. */
export const notKept = (kept: Result | undefined, figures: readonly Figure[]): string[] => figures.flatMap(({ name, better }) => (better !== undefined && valueOf(kept, name) === null ? [name] : []));

/** Ratios of this run that are worse by more than a fifth than those that are kept. Absolute figures of two runs say nothing. */
export function findFalls(kept: Result, figures: readonly Figure[]): Fall[] {
  return figures.flatMap(({ name, value: now, better }) => {
    const before = valueOf(kept, name);
    if (better === undefined || before === null) return [];
    const isWorse = better === 'higher' ? now < before * (1 - TOLERATED) : now > before / (1 - TOLERATED);
    return isWorse || !Number.isFinite(now) ? [{ figure: name, before, now }] : [];
  });
}

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AppError, type ErrorKind } from '../../src/errors.js';
import { retryDelayMs, retryPolicy, type Blame } from '../../src/handlers/retryPolicy.js';

// A record, so that a kind that is added must be added here as well.
const ACTIONS: Record<ErrorKind, 'retry' | 'park'> = {
  'rate-limit': 'retry',
  network: 'retry',
  sequence: 'retry',
  expired: 'retry',
  computation: 'retry',
  funds: 'retry',
  data: 'park',
  'chain-state': 'park',
  files: 'park',
  usage: 'park',
  internal: 'park',
};
const KINDS = Object.keys(ACTIONS) as ErrorKind[];
const RETRIED = KINDS.filter((kind) => ACTIONS[kind] === 'retry');
const PARKED = KINDS.filter((kind) => ACTIONS[kind] === 'park');

const most = (): number => 1;
const delays = (kind: ErrorKind, attempts: number, random: () => number = most): number[] => {
  const error = new AppError(kind, 'x');
  return Array.from({ length: attempts }, (_, index) => retryDelayMs(error, index + 1, random));
};

describe('the policy', () => {
  it.each(KINDS)('of %s says what follows and what an operator can do', (kind) => {
    const policy = retryPolicy(kind);
    expect(policy.action).toBe(ACTIONS[kind]);
    expect(policy.solution.length).toBeGreaterThan(10);
    if (policy.action === 'retry') expect(policy.firstMs).toBeLessThanOrEqual(policy.capMs);
  });
});

describe('the blame for a failed transaction', () => {
  const BLAMES: Record<ErrorKind, Blame> = {
    computation: 'member',
    'chain-state': 'member',
    data: 'slot',
    funds: 'funder',
    sequence: 'nobody',
    expired: 'nobody',
    network: 'nobody',
    'rate-limit': 'nobody',
    files: 'nobody',
    usage: 'nobody',
    internal: 'nobody',
  };
  it.each(KINDS)('of kind %s falls on a member only where a member can cause it', (kind) => {
    expect(retryPolicy(kind).blames).toBe(BLAMES[kind]);
  });
});

describe('the pause before another attempt', () => {
  it('has a ceiling that doubles up to the cap', () => {
    expect(delays('network', 8)).toEqual([250, 500, 1_000, 2_000, 4_000, 8_000, 15_000, 15_000]);
    expect(delays('rate-limit', 6)).toEqual([1_000, 2_000, 4_000, 8_000, 16_000, 30_000]);
    expect(delays('funds', 8)).toEqual([5_000, 10_000, 20_000, 40_000, 80_000, 160_000, 300_000, 300_000]);
  });

  it('is none the first time for what a second look mends, and grows when that fails again', () => {
    expect(delays('sequence', 6)).toEqual([0, 250, 500, 1_000, 1_000, 1_000]);
    expect(delays('expired', 8)).toEqual([0, 250, 500, 1_000, 2_000, 4_000, 5_000, 5_000]);
    expect(delays('computation', 5)).toEqual([0, 250, 500, 1_000, 1_000]);
  });

  it('is drawn from the whole range below its ceiling', () => {
    expect(delays('network', 3, () => 0)).toEqual([0, 0, 0]);
    expect(delays('network', 3, () => 0.5)).toEqual([125, 250, 500]);
  });

  it('is never shorter than what the peer asked for', () => {
    for (const kind of KINDS) expect(retryDelayMs(new AppError(kind, 'x', { retryAfterMs: 90_000_000 }), 3)).toBe(90_000_000);
    expect(retryDelayMs(new AppError('rate-limit', 'x', { retryAfterMs: 10 }), 1, most)).toBe(1_000);
  });

  it.each(PARKED)('is a minute for what is parked, however often: %s', (kind) => {
    expect(delays(kind, 30)).toEqual(Array.from({ length: 30 }, () => 60_000));
  });

  it('is a whole number within the cap for any attempt', () => {
    fc.assert(
      fc.property(fc.constantFrom(...RETRIED), fc.integer({ min: -5, max: 2 ** 31 }), fc.double({ min: 0, max: 1, noNaN: true }), (kind, attempt, drawn) => {
        const delay = retryDelayMs(new AppError(kind, 'x'), attempt, () => drawn);
        const policy = retryPolicy(kind);
        expect(Number.isInteger(delay)).toBe(true);
        expect(delay).toBeGreaterThanOrEqual(0);
        expect(delay).toBeLessThanOrEqual(policy.action === 'retry' ? policy.capMs : 0);
      }),
    );
  });
});

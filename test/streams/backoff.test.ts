import { throwError } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { backoffDelay, createBackoff, retryForever } from '../../src/streams/backoff.js';
import { drawTime } from './marbles.js';

const almostOne = 1 - Number.EPSILON;

describe('the delay before another attempt', () => {
  it('has a ceiling that doubles up to the cap', () => {
    const ceilings = [0, 1, 2, 3, 4, 5, 6, 7, 5_000].map((attempt) => backoffDelay(attempt, { firstMs: 500, capMs: 30_000, random: () => almostOne }));
    expect(ceilings).toEqual([499, 999, 1_999, 3_999, 7_999, 15_999, 29_999, 29_999, 29_999]);
  });

  it('is drawn from the whole range and never 0', () => {
    expect(backoffDelay(3, { firstMs: 500, capMs: 30_000, random: () => 0.5 })).toBe(2_000);
    expect(backoffDelay(3, { firstMs: 500, capMs: 30_000, random: () => 0 })).toBe(20);
  });

  it('begins again after a reset', () => {
    const backoff = createBackoff({ firstMs: 100, capMs: 1_000, random: () => 0.5 });
    expect([backoff.next(), backoff.next(), backoff.next()]).toEqual([50, 100, 200]);
    backoff.reset();
    expect(backoff.next()).toBe(50);
  });
});

describe('retryForever', () => {
  const halfOf = (firstMs: number) => createBackoff({ firstMs, capMs: firstMs * 4, random: () => 0.5 });

  it('subscribes again after each error, later and later up to the cap, and tells of each', () => {
    drawTime(({ cold, expectObservable, expectSubscriptions, flush }) => {
      const source = cold('a#');
      const told: number[] = [];
      const out$ = source.pipe(retryForever({ backoff: halfOf(40), onFailure: (_, delayMs) => void told.push(delayMs) }));
      // Pauses: 20, 40, 80, 80.
      expectObservable(out$, '^ 230ms !').toBe('a 20ms a 40ms a 80ms a 80ms a');
      expectSubscriptions(source.subscriptions).toBe(['^!', '21ms ^!', '62ms ^!', '143ms ^!', '224ms ^!']);
      flush();
      expect(told).toEqual([20, 40, 80, 80, 80]);
    });
  });

  it('leaves never, empty and values as they are', () => {
    drawTime(({ cold, expectObservable }) => {
      const again = () => retryForever<string>({ backoff: halfOf(40), onFailure: () => undefined });
      expectObservable(cold('-').pipe(again())).toBe('-');
      expectObservable(cold('|').pipe(again())).toBe('|');
      expectObservable(cold('a-b-|').pipe(again())).toBe('a-b-|');
    });
  });

  it('survives a source that fails while it is being subscribed to', () => {
    drawTime(({ expectObservable, flush }) => {
      let failures = 0;
      const out$ = throwError(() => new Error('at once')).pipe(retryForever({ backoff: halfOf(40), onFailure: () => (failures += 1) }));
      expectObservable(out$, '^ 199ms !').toBe('-');
      flush();
      // At 0, 20, 60, 140.
      expect(failures).toBe(4);
    });
  });
});

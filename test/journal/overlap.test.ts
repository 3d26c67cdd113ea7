import { describe, expect, it } from 'vitest';
import { createOverlap } from '../../src/journal/overlap.js';

const rows = (...places: number[]) => places.map((place) => ({ place }));
const placesOf = (found: readonly { place: number }[]): number[] => found.map(({ place }) => place);

describe('following rows by their place', () => {
  it('tells each once, in order', () => {
    const overlap = createOverlap(3);
    overlap.begin(10);
    expect(overlap.from()).toBe(10);
    expect(placesOf(overlap.fresh(rows(13, 12, 11)))).toEqual([11, 12, 13]);
    expect(placesOf(overlap.fresh(rows(14, 13, 12, 11)))).toEqual([14]);
    expect(placesOf(overlap.fresh(rows(14, 13)))).toEqual([]);
  });

  it('tells a row that was committed after one with a higher place', () => {
    const overlap = createOverlap(3);
    overlap.begin(10);
    expect(placesOf(overlap.fresh(rows(12)))).toEqual([12]);
    expect(placesOf(overlap.fresh(rows(12, 11)))).toEqual([11]);
    expect(placesOf(overlap.fresh(rows(12, 11).filter(({ place }) => place > overlap.from())))).toEqual([]);
  });

  it('looks no further back than a few looks, and holds no more', () => {
    const overlap = createOverlap(3);
    overlap.begin(0);
    for (let place = 1; place <= 1_000; place++) overlap.fresh(rows(place));
    expect(overlap.from()).toBe(998);
  });
});

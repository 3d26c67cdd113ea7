import { describe, expect, it } from 'vitest';
import { promised, shown, type Benchmark, type Figure } from '../../bench/frame/benchmark.js';
import { findFalls, notKept } from '../../bench/frame/compare.js';
import { toResult } from '../../bench/frame/result.js';

const BENCHMARK: Benchmark = { name: 'any', title: 'Any', measures: 'Anything.', run: () => Promise.reject(new Error('not run')) };
const kept = (...figures: Figure[]) => toResult(BENCHMARK, { figures, series: [], remarks: [] });

describe('a comparison with what is kept fails when a ratio falls by more than 20 %', () => {
  const before = kept(shown('of the limit', 1, '×', 'higher'), shown('of the loop', 1, '×', 'lower'));

  it.each<[string, number, number, string[]]>([
    ['nothing where it is the same', 1, 1, []],
    ['nothing where it is better', 2, 0.5, []],
    ['nothing where it is worse by a fifth', 0.8, 1.25, []],
    ['a share that has fallen by more', 0.79, 1, ['of the limit']],
    ['a multiple that has risen by more', 1, 1.26, ['of the loop']],
    ['what is no number any more', Number.NaN, 1, ['of the limit']],
  ])('finds %s', (_, limit, loop, falls) => {
    expect(findFalls(before, [shown('of the limit', limit, '×', 'higher'), shown('of the loop', loop, '×', 'lower')]).map((each) => each.figure)).toEqual(falls);
  });

  it('does not compare absolute figures, nor those that were not measured before', () => {
    expect(findFalls(kept(shown('time', 1, 'ms')), [shown('time', 100, 'ms')])).toEqual([]);
    expect(findFalls(before, [promised('a new one', 0.1, '×', '≥ 1', false, 'higher')])).toEqual([]);
  });

  it('names the ratios that it has nothing to compare with', () => {
    const now = [shown('of the limit', 1, '×', 'higher'), promised('a new one', 0.1, '×', '≥ 1', false, 'higher'), shown('time', 1, 'ms')];
    expect(notKept(before, now)).toEqual(['a new one']);
    expect(notKept(kept(shown('of the limit', Number.NaN, '×', 'higher')), now)).toEqual(['of the limit', 'a new one']);
    expect(notKept(undefined, now)).toEqual(['of the limit', 'a new one']);
  });

  it('takes a figure that was none for not measured', () => {
    expect(kept(shown('of the limit', Number.NaN, '×', 'higher')).figures[0]?.value).toBeNull();
    expect(findFalls(kept(shown('of the limit', Number.NaN, '×', 'higher')), [shown('of the limit', 1, '×', 'higher')])).toEqual([]);
  });
});

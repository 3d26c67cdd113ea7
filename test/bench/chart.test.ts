import { expect, it } from 'vitest';
import { drawChart } from '../../bench/frame/chart.js';
import { formatValue, summarise } from '../../bench/frame/stats.js';

const widths = (svg: string): number[] => [...svg.matchAll(/<rect [^>]*width="([\d.]+)"/g)].map((match) => Number(match[1]));

it('bars are as long as their medians, and each shows its spread', () => {
  const svg = drawChart('Burst', [{ contender: 'this', unit: 'accounts/s', samples: [40, 50, 60] }, { contender: 'limit', unit: 'accounts/s', samples: [100] }]);
  const [ours = 0, limit = 0] = widths(svg);
  expect(ours / limit).toBeCloseTo(0.5, 2);
  expect(svg).toContain('40 to 60');
  expect(svg).not.toContain('logarithmic');
});

it('ours have a colour of their own, wherever they stand', () => {
  const svg = drawChart('Trigger', ['no trigger', 'this, awake', 'thistle', 'this'].map((contender) => ({ contender, unit: 's', samples: [1] })));
  expect([...svg.matchAll(/<rect class="(\w+)"/g)].map((match) => match[1])).toEqual(['other', 'ours', 'other', 'ours']);
});

it('contenders more than a hundredfold apart have a logarithmic scale that says so', () => {
  const svg = drawChart('Burst', [{ contender: 'this', unit: 's', samples: [1] }, { contender: 'other', unit: 's', samples: [1_000] }]);
  expect(svg).toContain('logarithmic');
  expect(widths(svg).every((width) => width >= 1 && width <= 720)).toBe(true);
});

it('names are text, whatever they hold, and who has no sample has no bar', () => {
  const svg = drawChart('<&>', [{ contender: '"<b>"', unit: 'ms', samples: [0, 0] }, { contender: 'none', unit: 'ms', samples: [] }]);
  expect(svg).toContain('&lt;&amp;&gt;');
  expect(svg).not.toMatch(/<b>|NaN|Infinity/);
  expect(widths(svg)).toEqual([1]);
});

it('values have three digits, and what is none a dash', () => {
  expect([0.00123, 0.5, 1.234, 12.34, 1_234.5, 7, Number.NaN].map(formatValue)).toEqual(['0.00123', '0.5', '1.23', '12.3', '1,235', '7', '–']);
  expect(summarise([3, 1, 2])).toEqual({ count: 3, median: 2, lowest: 1, highest: 3 });
});

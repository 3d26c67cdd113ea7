import { quantile } from '../../dev/measure.js';

/** Median with the spread of its rounds. */
export interface Summary {
  readonly count: number;
  readonly median: number;
  readonly lowest: number;
  readonly highest: number;
}

export const ascending = (values: readonly number[]): number[] => [...values].sort((a, b) => a - b);

/** NaN of none. */
export const median = (values: readonly number[]): number => quantile(ascending(values), 0.5);

/** The q-quantile (0 to 1) of values in any order; NaN of none. */
export const quantileOf = (values: readonly number[], q: number): number => quantile(ascending(values), q);

export function summarise(values: readonly number[]): Summary {
  const sorted = ascending(values);
  return { count: sorted.length, median: quantile(sorted, 0.5), lowest: sorted[0] ?? Number.NaN, highest: sorted.at(-1) ?? Number.NaN };
}

/** Three significant digits, thousands grouped. */
export function formatValue(value: number): string {
  if (!Number.isFinite(value)) return '–';
  const size = Math.abs(value);
  if (size >= 100 || Number.isInteger(value)) return Math.round(value).toLocaleString('en-US');
  return size >= 10 ? value.toFixed(1) : size >= 1 ? value.toFixed(2) : value.toPrecision(3).replace(/0+$/, '').replace(/\.$/, '');
}

import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { packagePath } from '../../src/packagePath.js';

const css = readFileSync(packagePath('dashboard', 'styles', 'tokens.css'), 'utf8');
const tokens = new Map([...css.matchAll(/--([\w-]+): light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\)/g)].map(([, name, light, dark]) => [name!, [light!, dark!] as const]));

/** Relative luminance and contrast as WCAG 2 defines them. */
function luminance(hex: string): number {
  const [r, g, b] = [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16) / 255).map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r! + 0.7152 * g! + 0.0722 * b!;
}
function contrast(one: string, other: string, theme: 0 | 1): number {
  const [light, dark] = [luminance(tokens.get(one)![theme]), luminance(tokens.get(other)![theme])].sort((a, b) => b - a);
  return (light! + 0.05) / (dark! + 0.05);
}

const TEXTS: readonly (readonly [text: string, grounds: readonly string[]])[] = [
  ['text', ['ground', 'surface', 'raised', 'good-ground', 'busy-ground', 'warn-ground', 'bad-ground']],
  ['muted', ['ground', 'surface', 'raised', 'busy-ground']],
  ['accent', ['surface']],
  ['on-accent', ['accent']],
  ['good', ['good-ground']],
  ['busy', ['busy-ground']],
  ['warn', ['warn-ground', 'raised']],
  ['bad', ['surface', 'bad-ground', 'raised', 'good-ground', 'busy-ground', 'warn-ground']],
];
const MARKS: readonly (readonly [mark: string, grounds: readonly string[]])[] = [
  ['edge', ['surface']],
  ['accent', ['ground', 'surface', 'raised']],
  ['good', ['surface']],
  ['busy', ['surface', 'busy-ground']],
  ['warn', ['surface', 'warn-ground', 'bad-ground']],
  ['bad', ['surface', 'bad-ground']],
  ...['series-1', 'series-2', 'series-3', 'series-4', 'muted'].map((name) => [name, ['surface']] as const),
];

describe.each([['light', 0], ['dark', 1]] as const)('in the %s theme', (_, theme) => {
  it.each(TEXTS)('%s is readable on each of its grounds: a contrast of 4.5', (text, grounds) => {
    for (const ground of grounds) expect(contrast(text, ground, theme), `${text} on ${ground}`).toBeGreaterThanOrEqual(4.5);
  });

  it.each(MARKS)('the mark %s is seen on each of its grounds: a contrast of 3', (mark, grounds) => {
    for (const ground of grounds) expect(contrast(mark, ground, theme), `${mark} on ${ground}`).toBeGreaterThanOrEqual(3);
  });
});

import { describe, expect, it } from 'vitest';
import { addressArg, arrayArg, stringArg } from '../../src/flow/args.js';
import type { FclArg } from '../../src/flow/fcl.js';
import { scriptBody } from '../../src/flow/scriptBody.js';

const base64 = (text: string): string => Buffer.from(text, 'utf8').toString('base64');
const asOneText = (cadence: string, args: readonly FclArg[]): string => JSON.stringify({ script: base64(cadence), arguments: args.map((arg) => base64(JSON.stringify(arg))) });
const addresses = (count: number): FclArg => arrayArg(Array.from({ length: count }, (_, i) => addressArg(i.toString(16))));

describe('the body of a script call', () => {
  it.each([0, 1, 2, 99, 100, 101, 1_000, 2_000])('is what JSON.stringify writes: %i elements', (count) => {
    const keys = arrayArg(Array.from({ length: count }, (_, i) => stringArg(i.toString(16).padStart(128, '0'))));
    const args = [addresses(count), keys];
    expect(scriptBody('script', args).toString()).toBe(asOneText('script', args));
  });

  it.each<readonly [string, readonly FclArg[]]>([
    ['no arguments', []],
    ['no list', [stringArg('"quoted" and ünïcödé 🙂'), { type: 'Optional', value: null }]],
    ['lists in a list', [arrayArg([addresses(3), arrayArg([]), addresses(150)])]],
    ['characters of several bytes in a list', [arrayArg(Array.from({ length: 30_000 }, () => stringArg('€')))]],
  ])('the same for %s', (_, args) => {
    expect(scriptBody('access(all) fun main() {} // ß', args).toString()).toBe(asOneText('access(all) fun main() {} // ß', args));
  });

  it('the same for code of any length', () => {
    for (const length of [0, 1, 2, 49_151, 49_152, 49_153, 100_000]) expect(scriptBody('x'.repeat(length), []).toString()).toBe(asOneText('x'.repeat(length), []));
  });
});

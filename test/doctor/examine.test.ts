import { describe, expect, it } from 'vitest';
import { AppError } from '../../src/errors.js';
import { defineCheck, fail, ok, warn, type Check, type Surroundings } from '../../src/doctor/check.js';
import { CHECKS } from '../../src/doctor/checks.js';
import { examine } from '../../src/doctor/examine.js';
import { findingsToText } from '../../src/doctor/report.js';

const unused = (): never => {
  throw new Error('not opened here');
};
const surroundings = (environment: Record<string, string> = {}): Surroundings => ({ environment, folder: '/nowhere', now: () => 0, journal: unused, chain: unused });
const check = (name: string, does: Check['examine'], needs: readonly string[] = []): Check => defineCheck({ name, needs, examine: does });

describe('the doctor', () => {
  it('skips what rests on a check that failed or was skipped, and not what rests on a warning', async () => {
    const findings = await examine(
      [
        check('wrong', () => Promise.resolve(fail('broken', 'mend it'))),
        check('strange', () => Promise.resolve(warn('odd', 'look at it'))),
        check('child', unused, ['wrong']),
        check('grandchild', unused, ['child']),
        check('other', () => Promise.resolve(ok('well')), ['strange']),
      ],
      surroundings(),
    );
    expect(findings.map(({ state }) => state)).toEqual(['fail', 'warn', 'skipped', 'skipped', 'ok']);
    expect(findings[2]).toMatchObject({ found: 'needs wrong', mend: null });
  });

  it('skips a check whose setting is wrong, and names the setting', async () => {
    const [finding] = await examine([defineCheck({ name: 'pool', settings: ['POOL_SIZE'], examine: unused })], surroundings({ POOL_SIZE: '-1' }));
    expect(finding).toMatchObject({ state: 'skipped', found: 'needs POOL_SIZE' });
  });

  it('takes what a check throws for a fault found, with its mend', async () => {
    const [own, strange] = await examine(
      [check('own', () => Promise.reject(new AppError('usage', 'is wrong', { where: 'here', mend: 'so' }))), check('strange', () => Promise.reject(new Error('oh')))],
      surroundings(),
    );
    expect(own).toEqual({ name: 'own', state: 'fail', found: 'here: is wrong', mend: 'so' });
    expect(strange).toMatchObject({ state: 'fail', found: 'oh' });
    expect(strange?.mend).not.toBe('');
  });

  it('waits for no check longer than its limit, and for all no longer than theirs', async () => {
    const never = (): Promise<never> => new Promise(() => undefined);
    const began = performance.now();
    const findings = await examine([check('a', never), check('b', never), check('c', () => Promise.resolve(ok('well')))], surroundings(), { eachMs: 50, allMs: 80 });
    expect(performance.now() - began).toBeLessThan(1_000);
    expect(findings.map(({ state }) => state)).toEqual(['fail', 'fail', 'ok']);
    expect(findings[0]?.mend).toContain('firewall');
  });

  it('with nothing set finds the settings wrong, skips what needs them, and throws nothing', async () => {
    const findings = await examine(CHECKS, surroundings());
    expect(findings.find(({ name }) => name === 'settings')).toMatchObject({ state: 'fail' });
    expect(findings.filter(({ state }) => state === 'skipped').length).toBeGreaterThan(10);
    const names = findings.map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
  });

  it('shows a mark, what was found and the mend under it', () => {
    const text = findingsToText([
      { name: 'one', state: 'ok', found: 'well', mend: null },
      { name: 'three', state: 'fail', found: 'two\nlines', mend: 'do it' },
      { name: 'four', state: 'skipped', found: 'needs three', mend: null },
    ]);
    expect(text.split('\n')).toEqual(['✓ one    well', '✗ three  two', '         lines', '         mend: do it', '– four   needs three', '', '1 ok, 0 to look at, 1 wrong, 1 skipped']);
  });
});

import { describe, expect, it } from 'vitest';
import { readFilter, toText } from '../src/commands/audit.js';
import { faultOf } from './support/faultOf.js';

const NOW = Date.parse('2026-11-27T12:00:00Z');
const ID = '0b0e7a34-5f4e-4c3f-9f53-6d8e6b1c2a11';

describe('what `wallet-sync audit` is asked for', () => {
  it.each([
    ['90s', '2026-11-27T11:58:30.000Z'],
    ['15m', '2026-11-27T11:45:00.000Z'],
    ['24h', '2026-11-26T12:00:00.000Z'],
    ['7d', '2026-11-20T12:00:00.000Z'],
    ['2026-11-27', '2026-11-27T00:00:00.000Z'],
    ['2026-11-27T08:30:00Z', '2026-11-27T08:30:00.000Z'],
    ['2026-11-27T08:30:00+02:00', '2026-11-27T06:30:00.000Z'],
  ])('--since %s is %s', (since, at) => {
    expect(readFilter({ since }, NOW).since?.toISOString()).toBe(at);
  });

  it.each([['yesterday'], ['24'], ['1y'], ['2026-13-01'], ['27.11.2026']])('--since %s is used wrongly', (since) => {
    expect(faultOf(() => readFilter({ since }, NOW))).toMatchObject({ kind: 'usage', where: '--since' });
  });

  it('a user is an id, a kind one of those there are', () => {
    expect(readFilter({ user: ID.toUpperCase(), kind: 'key-opened' }, NOW)).toEqual({ authId: ID, kind: 'key-opened' });
    expect(faultOf(() => readFilter({ user: 'ann' }, NOW))).toMatchObject({ kind: 'usage', where: '--user' });
    expect(faultOf(() => readFilter({ kind: 'opened' }, NOW))).toMatchObject({ kind: 'usage', where: '--kind', mend: expect.stringContaining('key-opened') as string });
  });
});

it('an entry is one line, whatever its detail holds', () => {
  const line = { at: '2026-11-27T12:00:00.123456Z', kind: 'key-opened', instance: ID, auth_id: ID, account_id: 7, tx_id: null, detail: { why: 'to sign\nits repair', keys: 3 } };
  expect(toText(line)).toBe(`2026-11-27T12:00:00.123Z key-opened           user=${ID} account=7 why="to sign\\nits repair" keys=3 instance=${ID}`);
});

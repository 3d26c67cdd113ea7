import { describe, expect, it } from 'vitest';
import { readFilter } from '../src/commands/ledger/list.js';
import { findingToText } from '../src/commands/ledger/verify.js';
import { faultOf } from './support/faultOf.js';

const NOW = Date.parse('2026-11-27T12:00:00Z');
const ID = '0b0e7a34-5f4e-4c3f-9f53-6d8e6b1c2a11';
const NOTHING = { since: undefined, user: undefined, funder: undefined };

describe('what `wallet-sync ledger` is asked for', () => {
  it('a time, a user and a funder, each or none', () => {
    expect(readFilter(NOTHING, NOW)).toEqual({});
    expect(readFilter({ since: '24h', user: ID.toUpperCase(), funder: '179B6B1CB6755E31' }, NOW)).toEqual({ since: new Date('2026-11-26T12:00:00Z'), authId: ID, funder: '0x179b6b1cb6755e31' });
    expect(readFilter({ ...NOTHING, since: '999999w' }, NOW)).toEqual({ since: new Date(0) });
  });

  it.each([
    ['--since', { since: 'yesterday' }],
    ['--user', { user: 'ann' }],
    ['--funder', { funder: 'funder-1' }],
  ])('%s is refused where it is none', (where, options) => {
    expect(faultOf(() => readFilter({ ...NOTHING, ...options }, NOW))).toMatchObject({ kind: 'usage', where });
  });
});

describe('what `wallet-sync ledger verify` finds is said with its amounts', () => {
  const [txId, funder] = ['ab'.repeat(32), '0x179b6b1cb6755e31'];
  it.each([
    [{ kind: 'differs', txId, funder, ledger: [], chain: [1_000n] } as const, `${txId} took 0.00001000 FLOW from ${funder}; the ledger has nothing`],
    [{ kind: 'not-ours', txId, funder, chain: [100_000n, 1n] } as const, `${txId} took 0.00100000 + 0.00000001 FLOW from ${funder} and is none of this service`],
    [{ kind: 'unrecorded', txId, funder, chain: [1n] } as const, 'after it was given up'],
    [{ kind: 'balance', funder, difference: -1n } as const, `${funder} has 0.00000001 FLOW less than follows`],
  ])('case %#', (finding, text) => {
    expect(findingToText(finding)).toContain(text);
  });
});

import { describe, expect, it } from 'vitest';
import { judge, MEBIBYTE, type Measured } from '../../bench/million/promises.js';
import { formatReport } from '../../bench/million/report.js';

const KEPT: Measured = {
  users: 1_000_000,
  planned: 1_000,
  signedUp: 1_000,
  deleted: 1_000,
  skipped: 0,
  badEntries: 0,
  node: { scriptCalls: 1_050, refused: 0, tooLarge: 3, asked: 1_003_800, checked: 1_000_200, strangeKeys: 0, unknown: [] },
  peakMemory: 256 * MEBIBYTE - 1,
  memorySamples: 1_200,
  end: { code: 0, answer: { script_calls: 1_050 }, tail: '' },
  wallMs: 240_000,
  cpuMs: 150_000,
  seedMs: 120_000,
  database: { ms: 30_000, statements: 4_000, blocksRead: 9, costliest: [{ text: 'select 1', calls: 1_000, ms: 20_000, slowestMs: 90 }] },
};

const broken = (change: Partial<Measured>): string[] => judge({ ...KEPT, ...change }).filter((each) => !each.kept).map((each) => each.name);

describe('judge', () => {
  it('finds every promise kept at its limit', () => expect(broken({})).toEqual([]));

  it.each<[string, Partial<Measured>]>([
    ['script calls', { node: { ...KEPT.node, scriptCalls: 1_051 } }],
    ['resident memory of the process', { peakMemory: 256 * MEBIBYTE }],
    ['resident memory of the process', { peakMemory: Number.NaN }],
    ['no user skipped', { skipped: 1 }],
    ['users come and go meanwhile', { signedUp: 999 }],
    ['users come and go meanwhile', { deleted: 999 }],
    ['flow-production.json has them all', { badEntries: 1 }],
    ['flow-production.json has them all', { badEntries: Number.NaN }],
    ['each was asked about under his own key', { node: { ...KEPT.node, strangeKeys: 1 } }],
    ['the node knew every call', { node: { ...KEPT.node, unknown: ['POST /v1/transactions'] } }],
    ['the sweep ends well', { end: { ...KEPT.end, code: 1 } }],
    ['the sweep ends well', { end: { ...KEPT.end, answer: null } }],
  ])('finds it broken: %s (%#)', (name, change) => expect(broken(change)).toEqual([name]));

  it('allows fewer users fewer calls, and the same 50 for what fails', () => {
    expect(broken({ users: 5_000, node: { ...KEPT.node, scriptCalls: 55 } })).toEqual([]);
    expect(broken({ users: 5_000, node: { ...KEPT.node, scriptCalls: 56 } })).toEqual(['script calls']);
  });
});

describe('formatReport', () => {
  it('shows each promise with PASS or FAIL, and the database\'s own time', () => {
    const text = formatReport(KEPT, judge({ ...KEPT, skipped: 7 }));
    expect(text.match(/^PASS/gm)).toHaveLength(7);
    expect(text).toMatch(/^FAIL {2}no user skipped +7 {2}\(0 of those there throughout\)$/m);
    expect(text).toMatch(/^database's own time +30\.0 s in 4,000 statements/m);
  });
});

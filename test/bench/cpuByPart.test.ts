import { expect, it } from 'vitest';
import { cpuByPart } from '../../bench/million/cpuByPart.js';

const frame = (functionName: string, url = '') => ({ functionName, url });

it('each sample counts for the innermost part that is known, and waiting for none', () => {
  const profile = {
    nodes: [
      { id: 1, callFrame: frame('(root)'), children: [2, 6, 7, 8, 9] },
      { id: 2, callFrame: frame('sweep', 'file:///x/dist/src/handlers/sweep/walk.js'), children: [3] },
      { id: 3, callFrame: frame('open', 'file:///x/dist/src/secrets.js'), children: [4] },
      { id: 4, callFrame: frame('final', 'node:internal/crypto') },
      { id: 6, callFrame: frame('(idle)') },
      { id: 7, callFrame: frame('(garbage collector)') },
      { id: 9, callFrame: frame('toString', 'file:///x/dist/src/journal/pool.js') },
      { id: 8, callFrame: frame('parse', 'file:///x/node_modules/pg-protocol/dist/parser.js') },
    ],
    samples: [2, 4, 4, 6, 7, 8, 9],
    timeDeltas: [1_000_000, 2_000_000, 2_000_000, 9_000_000, 500_000, 250_000, 125_000],
  };
  expect(Object.fromEntries(cpuByPart(profile))).toEqual({ 'opening and comparing keys': 4, 'judging and mending': 1, 'collecting garbage': 0.5, 'rows and records': 0.375 });
});

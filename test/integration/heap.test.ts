import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import ts from 'typescript';
import { expect, it } from 'vitest';
import { packagePath } from '../../src/packagePath.js';

/** Makes 200 lists of 20,000 objects, the last 12 of which are in use, and prints how often the old generation was collected. */
const GARBAGE = `
import { PerformanceObserver, constants } from 'node:perf_hooks';
let collections = 0;
new PerformanceObserver((list) => {
  for (const { detail } of list.getEntries()) if (detail.kind === constants.NODE_PERFORMANCE_GC_MAJOR) collections += 1;
}).observe({ entryTypes: ['gc'] });
const inUse = [];
for (let i = 0; i < 200; i += 1) {
  inUse.push(Array.from({ length: 20_000 }, (_, j) => ({ i, j, list: [j] })));
  if (inUse.length > 12) inUse.shift();
  await new Promise(setImmediate);
}
console.log(collections);`;

async function runNode(code: string): Promise<number> {
  const { stdout, stderr } = await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', code]);
  // V8 tells of a flag that it doesn't know here, and goes on.
  expect(stderr).toBe('');
  return Number(stdout);
}

it('a heap that is kept small is collected several times as often, and Node knows the flag', async () => {
  const module = await readFile(packagePath('src', 'heap.ts'), 'utf8');
  const heap = ts.transpile(module, { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022 });
  const byItself = await runNode(GARBAGE);
  const keptSmall = await runNode(`${heap}\nkeepHeapSmall();\n${GARBAGE}`);
  expect(byItself).toBeGreaterThan(0);
  expect(keptSmall).toBeGreaterThan(byItself * 2);
});

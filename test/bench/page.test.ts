import { readFile, readdir } from 'node:fs/promises';
import { expect, it } from 'vitest';
import { BENCHMARKS } from '../../bench/benchmarks/all.js';
import { pageOf } from '../../bench/frame/page.js';
import { readResults } from '../../bench/frame/result.js';
import { packagePath } from '../../src/packagePath.js';

it('docs/benchmarks.md and its charts are what the kept results show (npm run bench -- --page writes them)', async () => {
  const kept = await readResults();
  const page = pageOf(BENCHMARKS.flatMap((each) => kept.get(each.name) ?? []));
  for (const [path, text] of page) expect(await readFile(packagePath('docs', path), 'utf8'), path).toBe(text);
  const charts = (await readdir(packagePath('docs', 'benchmarks'))).map((file) => `benchmarks/${file}`);
  expect(charts.toSorted()).toEqual([...page.keys()].filter((path) => path !== 'benchmarks.md').toSorted());
});

it('each benchmark has a result', async () => {
  expect([...(await readResults()).keys()].toSorted()).toEqual(BENCHMARKS.map((each) => each.name).toSorted());
});

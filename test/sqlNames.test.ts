import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { migrationFiles } from '../src/journal/migrate.js';
import { packagePath } from '../src/packagePath.js';

/** What `create index if not exists`, or a look whether the name is there, would leave out without a word. */
const RELATION = /\bcreate (?:unique )?(?:index|table|view|sequence|materialized view|or replace view)(?: concurrently)?(?: if not exists)? (?!on\b)([\w.]+)/g;

it('no two files of sql/ create a relation of one name: the second would never be made', async () => {
  const makers = new Map<string, string[]>();
  for (const file of await migrationFiles()) {
    for (const [, name] of readFileSync(packagePath('sql', file), 'utf8').matchAll(RELATION)) {
      const bare = (name as string).replace(/^wallet_sync\./, '');
      makers.set(bare, [...new Set([...(makers.get(bare) ?? []), file])]);
    }
  }
  expect(makers.size).toBeGreaterThan(40);
  expect([...makers].filter(([, files]) => files.length > 1)).toEqual([]);
});

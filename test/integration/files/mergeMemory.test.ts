import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { packagePath } from '../../../src/packagePath.js';
import { useFolder } from '../../files/folder.js';

const folder = useFolder();

it('a file of 300,000 accounts, 69 MB, is written, compared and rewritten in less than 40 MB', async () => {
  const { stdout } = await promisify(execFile)(process.execPath, ['--import', 'tsx', packagePath('test', 'integration', 'files', 'mergeMemory.ts'), folder.in('flow-production.json'), '300000']);
  const { rise, entries } = JSON.parse(stdout) as { rise: number; entries: number };
  expect(entries).toBe(300_001);
  expect(rise / 2 ** 20).toBeLessThan(40);
}, 120_000);

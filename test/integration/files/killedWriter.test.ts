import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, readdirSync } from 'node:fs';
import { expect, it } from 'vitest';
import { packagePath } from '../../../src/packagePath.js';
import { account } from '../../files/accounts.js';
import { modeOf, useFolder } from '../../files/folder.js';

const folder = useFolder();
const FIRST = 5_000;
const ROUNDS = 12;

/** Numbers from 0 to 1, the same in each run. */
function createRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

/** Kills a writer after so many of its signs. Returns what it complained of. */
async function killAfter(signs: number, path: string, first: number): Promise<string> {
  const child = spawn(process.execPath, ['--import', 'tsx', packagePath('test', 'integration', 'files', 'endlessWriter.ts'), path, String(first)], { stdio: ['ignore', 'pipe', 'pipe'] });
  let seen = 0;
  let complaints = '';
  child.stderr.on('data', (chunk: Buffer) => (complaints += chunk.toString()));
  child.stdout.on('data', (chunk: Buffer) => {
    seen += chunk.length;
    if (seen >= signs) child.kill('SIGKILL');
  });
  const [, signal] = (await once(child, 'close')) as [number | null, string | null];
  expect(signal).toBe('SIGKILL');
  return complaints;
}

const namesIn = (path: string): string[] => Object.keys((JSON.parse(readFileSync(path, 'utf8')) as { accounts: Record<string, unknown> }).accounts);
const isPrefix = (names: readonly string[]): boolean => names.every((name, index) => name === account(index).authId);

it(`a writer killed with SIGKILL at any moment of its writes leaves the file whole, and its backup: ${ROUNDS} times`, async () => {
  const random = createRandom(20_261);
  const path = folder.in('flow-production.json');
  let count = FIRST;
  let torn = 0;
  // Signs of one write: 10. The first round has at least one version written whole.
  for (let round = 0; round < ROUNDS; round += 1) {
    expect(await killAfter((round === 0 ? 15 : 1) + Math.floor(random() * 40), path, count)).toBe('');
    const names = namesIn(path);
    expect(isPrefix(names), `round ${round}`).toBe(true);
    expect(names.length).toBeGreaterThanOrEqual(FIRST);
    for (const name of readdirSync(folder.path)) {
      expect(modeOf(folder.in(name)) & 0o077, name).toBe(0);
      if (name.endsWith('.partial')) {
        torn += 1;
        continue;
      }
      const backup = namesIn(folder.in(name));
      expect(isPrefix(backup) && backup.length >= FIRST, `${name} in round ${round}`).toBe(true);
    }
    count = names.length + 1;
  }
  expect(torn).toBeGreaterThan(0);
  expect(count).toBeGreaterThan(FIRST);
}, 120_000);

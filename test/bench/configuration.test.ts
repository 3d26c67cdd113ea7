import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { authIdOf, createKeySource } from '../../bench/million/benchUser.js';
import { countBadEntries } from '../../bench/million/configuration.js';
import { toEntry } from '../../src/files/entry.js';

let folder: string;
beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), 'bench-configuration-'))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const keyOf = createKeySource();
const NUMBERS = [0, 1, 2, 3];
const ADDRESSES = BigUint64Array.from(NUMBERS.map((user) => BigInt(keyOf(user).address)));
const entries = (users: readonly number[]): Record<string, unknown> => Object.fromEntries(users.map((user) => [authIdOf(user), toEntry(authIdOf(user), keyOf(user).address)]));
const write = (accounts: Record<string, unknown>): void => writeFileSync(join(folder, 'flow-production.json'), JSON.stringify({ accounts }, null, 2));

describe('countBadEntries', () => {
  it('finds nothing wrong with what the product writes, others\' entries included', async () => {
    write({ ...entries(NUMBERS), 'made-by-hand': { address: '0x1' } });
    expect(await countBadEntries(folder, ADDRESSES, new Set())).toBe(0);
  });

  it('counts what is missing or leads to another address or key, but of those who are gone', async () => {
    write({ ...entries([0, 1]), [authIdOf(1)]: toEntry(authIdOf(1), keyOf(0).address), [authIdOf(3)]: toEntry(authIdOf(0), keyOf(3).address) });
    expect(await countBadEntries(folder, ADDRESSES, new Set())).toBe(3);
    expect(await countBadEntries(folder, ADDRESSES, new Set([2]))).toBe(2);
  });

  it('rejects where there is no file, or half of one', async () => {
    await expect(countBadEntries(folder, ADDRESSES, new Set())).rejects.toThrow();
    writeFileSync(join(folder, 'flow-production.json'), '{"accounts": {');
    await expect(countBadEntries(folder, ADDRESSES, new Set())).rejects.toThrow();
  });
});

import { execFileSync } from 'node:child_process';
import { chmod, mkdir, mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readOldEntries, readOldKeyFile } from '../../src/files/oldAccounts.js';

const USER = '0a000000-0000-4000-8000-000000000001';
const KEY = 'ab'.repeat(32);
let folder: string;
let config: string;
let keyFile: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'old-accounts-'));
  config = join(folder, 'flow-production.json');
  keyFile = join(folder, 'pkeys', `${USER}.pkey`);
  await mkdir(join(folder, 'pkeys'), { mode: 0o700 });
  await writeFile(keyFile, `${KEY}\n`, { mode: 0o600 });
});
afterEach(() => rm(folder, { recursive: true, force: true }));

describe('a key file of an older service', () => {
  it('is read where it is a plain file of mode 0600', async () => {
    expect(await readOldKeyFile(folder, USER)).toEqual({ kind: 'text', text: `${KEY}\n` });
    expect(await readOldKeyFile(folder, USER.replace('1', '2'))).toEqual({ kind: 'missing' });
  });

  it.each([0o640, 0o604, 0o644, 0o620])('is not taken where others may read or write it: %o', async (mode) => {
    await chmod(keyFile, mode);
    expect(await readOldKeyFile(folder, USER)).toMatchObject({ kind: 'refused', reason: expect.stringContaining(mode.toString(8)) as string });
  });

  it('is not followed where it, or its folder, is a link', async () => {
    await rename(keyFile, join(folder, 'elsewhere'));
    await symlink(join(folder, 'elsewhere'), keyFile);
    expect(await readOldKeyFile(folder, USER)).toEqual({ kind: 'refused', reason: 'it is a link' });
    await rename(join(folder, 'pkeys'), join(folder, 'real'));
    await symlink(join(folder, 'real'), join(folder, 'pkeys'));
    expect(await readOldKeyFile(folder, USER)).toMatchObject({ kind: 'refused' });
  });

  it('is not taken where it is a folder, a pipe, or large; and an id never leads out of the folder', async () => {
    await writeFile(keyFile, 'a'.repeat(1_000));
    expect(await readOldKeyFile(folder, USER)).toEqual({ kind: 'refused', reason: 'it is longer than 256 bytes' });
    await rm(keyFile);
    execFileSync('mkfifo', ['-m', '600', keyFile]);
    expect(await readOldKeyFile(folder, USER)).toEqual({ kind: 'refused', reason: 'it is no plain file' });
    await rm(keyFile);
    await mkdir(keyFile, { mode: 0o700 });
    expect(await readOldKeyFile(folder, USER)).toEqual({ kind: 'refused', reason: 'it is a folder' });
    expect(await readOldKeyFile(folder, `../${USER}`)).toMatchObject({ kind: 'refused' });
  });
});

describe("an older service's flow-production.json", () => {
  it('gives the entries of users alone, whatever their form', async () => {
    const file = { accounts: { [USER.toUpperCase()]: { address: '0x01', key: { type: 'file', location: 'x' } }, [USER.replace('1', '2')]: { address: '02', key: KEY }, [USER.replace('1', '3')]: { address: '03', key: { type: 'hex', privateKey: KEY } }, mine: { address: '04' }, [USER.replace('1', '4')]: 'nonsense' }, networks: {} };
    await writeFile(config, `\ufeff${JSON.stringify(file)}`);
    expect(await readOldEntries(config)).toEqual([
      { authId: USER, address: '0x01', key: null },
      { authId: USER.replace('1', '2'), address: '02', key: KEY },
      { authId: USER.replace('1', '3'), address: '03', key: KEY },
    ]);
  });

  it('may be missing, and is refused where it is no configuration or a link, without a word of what it holds', async () => {
    expect(await readOldEntries(config)).toEqual([]);
    for (const text of ['', '[]', '{"accounts": 1}', `{"accounts": {"${USER}": {"key": "${KEY}"`]) {
      await writeFile(config, text);
      const error = await readOldEntries(config).catch((thrown: unknown) => thrown as Error);
      expect(error).toMatchObject({ kind: 'data' });
      expect(String((error as Error).message)).not.toContain(KEY);
    }
    await rename(config, `${config}.real`);
    await symlink(`${config}.real`, config);
    await expect(readOldEntries(config)).rejects.toMatchObject({ kind: 'usage', message: 'it is a link' });
  });
});

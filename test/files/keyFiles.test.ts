import { chmodSync, lstatSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { sep } from 'node:path';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { AppError } from '../../src/errors.js';
import { hasKeyFile, holdsKey, prepareFolder, writeKeyFile } from '../../src/files/keyFiles.js';
import { digestOf, readKeyNames } from '../../src/files/keyNames.js';
import { userId } from './accounts.js';
import { modeOf, useFolder, whileReadOnly } from './folder.js';

const files = await vi.hoisted(async () => (await import('./crashingFiles.js')).createCrashingFiles());
vi.mock('node:fs/promises', async (original) => files.wrap(await original()));

const folder = useFolder();
const USER = '8d8ac610-566d-4ef0-9c22-186b2a5ed793';
const KEY = 'c0ffee00'.repeat(8);
const OTHER_KEY = 'deadbeef'.repeat(8);
const path = () => folder.in(`${USER}.pkey`);

beforeEach(() => files.reset());

describe('the folder of keys', () => {
  it('is made for its owner alone, with the folders above it', async () => {
    await prepareFolder(folder.in('accounts', 'pkeys'));
    expect(modeOf(folder.in('accounts', 'pkeys'))).toBe(0o700);
    expect(modeOf(folder.in('accounts'))).toBe(0o700);
  });

  it.each([0o755, 0o770, 0o777, 0o701])('that others may enter is narrowed: %o', async (mode) => {
    mkdirSync(folder.in('pkeys'));
    chmodSync(folder.in('pkeys'), mode);
    await prepareFolder(folder.in('pkeys'));
    expect(modeOf(folder.in('pkeys'))).toBe(0o700);
  });

  it('that is private already is left as it is, with what is in it', async () => {
    mkdirSync(folder.in('pkeys'), { mode: 0o700 });
    writeFileSync(folder.in('pkeys', 'x.pkey'), KEY);
    await prepareFolder(folder.in('pkeys'));
    expect(readdirSync(folder.in('pkeys'))).toEqual(['x.pkey']);
    expect(modeOf(folder.in('pkeys'))).toBe(0o700);
  });

  it.each(['', sep])('that is a link is refused, and its target keeps its mode (ending in "%s")', async (ending) => {
    mkdirSync(folder.in('target'));
    chmodSync(folder.in('target'), 0o755);
    symlinkSync(folder.in('target'), folder.in('pkeys'));
    await expect(prepareFolder(folder.in('pkeys') + ending)).rejects.toMatchObject({ kind: 'usage', message: 'is not a folder' });
    expect(modeOf(folder.in('target'))).toBe(0o755);
  });

  it.each([
    ['a file', () => writeFileSync(folder.in('pkeys'), '')],
    ['a link to nowhere', () => symlinkSync(folder.in('nowhere'), folder.in('pkeys'))],
  ])('that is %s is refused with its mend', async (_, make) => {
    make();
    const error: unknown = await prepareFolder(folder.in('pkeys')).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(AppError);
    expect(error).toMatchObject({ kind: 'usage', where: folder.in('pkeys'), mend: expect.stringContaining('ACCOUNTS_DIR') as string });
    expect(readdirSync(folder.path)).toEqual(['pkeys']);
  });
});

describe('a key file', () => {
  it('holds the key alone, for its owner alone, under the user’s id', async () => {
    await writeKeyFile(folder.path, USER, KEY);
    expect(readFileSync(path(), 'utf8')).toBe(KEY);
    expect(modeOf(path())).toBe(0o600);
    expect(readdirSync(folder.path)).toEqual([`${USER}.pkey`]);
  });

  it('replaces an older one, whatever its mode', async () => {
    writeFileSync(path(), 'a longer text than a key has '.repeat(5));
    chmodSync(path(), 0o644);
    await writeKeyFile(folder.path, USER, KEY);
    expect(readFileSync(path(), 'utf8')).toBe(KEY);
    expect(modeOf(path())).toBe(0o600);
  });

  it.each(['', '.partial'])('replaces a link and does not follow it: .pkey%s', async (ending) => {
    writeFileSync(folder.in('elsewhere'), 'not ours', { mode: 0o644 });
    symlinkSync(folder.in('elsewhere'), path() + ending);
    await writeKeyFile(folder.path, USER, KEY);
    expect(readFileSync(folder.in('elsewhere'), 'utf8')).toBe('not ours');
    expect(lstatSync(path()).isSymbolicLink()).toBe(false);
    expect(readFileSync(path(), 'utf8')).toBe(KEY);
    expect(readdirSync(folder.path)).toHaveLength(2);
  });

  it('takes no notice of what a killed writer left behind', async () => {
    writeFileSync(`${path()}.partial`, 'torn', { mode: 0o666 });
    await writeKeyFile(folder.path, USER, KEY);
    expect(readFileSync(path(), 'utf8')).toBe(KEY);
    expect(modeOf(path())).toBe(0o600);
    expect(readdirSync(folder.path)).toEqual([`${USER}.pkey`]);
  });

  it.each(['', '../x', 'a/b', '/etc/x', 'x/'])('is not written outside the folder: "%s"', async (id) => {
    mkdirSync(folder.in('pkeys'));
    const error: unknown = await writeKeyFile(folder.in('pkeys'), id, KEY).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ kind: 'data' });
    expect(JSON.stringify(error)).not.toContain(KEY);
    expect(readdirSync(folder.path)).toEqual(['pkeys']);
    expect(readdirSync(folder.in('pkeys'))).toEqual([]);
  });

  it('in a read-only folder stays as it was', async () => {
    await writeKeyFile(folder.path, USER, OTHER_KEY);
    await whileReadOnly(folder.path, async () => {
      await expect(writeKeyFile(folder.path, USER, KEY)).rejects.toMatchObject({ code: 'EACCES' });
    });
    expect(readFileSync(path(), 'utf8')).toBe(OTHER_KEY);
  });

  it('is the old or the new one, whole and private, at whichever call the disk fails or the process dies', async () => {
    await writeKeyFile(folder.path, USER, OTHER_KEY);
    const calls = files.calls();
    expect(calls).toBeGreaterThan(7);
    for (const stop of ['failFrom', 'crashFrom'] as const) {
      for (let call = 1; call <= calls; call += 1) {
        files.reset();
        await writeKeyFile(folder.path, USER, OTHER_KEY);
        files[stop](call);
        const error: unknown = await writeKeyFile(folder.path, USER, KEY).then(() => undefined, (thrown: unknown) => thrown);
        const where = `${stop} ${files.names()[call - 1]}, call ${call}`;
        files.reset();
        expect([KEY, OTHER_KEY], where).toContain(readFileSync(path(), 'utf8'));
        expect(modeOf(path()), where).toBe(0o600);
        expect(String(error), where).not.toContain(KEY);
        const left = readdirSync(folder.path);
        if (stop === 'failFrom') expect(left, where).toEqual([`${USER}.pkey`]);
        // What a killed writer leaves is as private as the key.
        else for (const name of left) expect(modeOf(folder.in(name)) & 0o077, where).toBe(0);
      }
    }
  });

  it('is on the disk, and its name too, before it counts as written', async () => {
    await writeKeyFile(folder.path, USER, KEY);
    expect(files.renamedUnsynced()).toEqual([]);
    expect(files.names().filter((name) => name === 'sync' || name === 'rename')).toEqual(['sync', 'rename', 'sync']);
  });
});

describe('the names of the key files', () => {
  it('are known after one pass over the folder, and no others', async () => {
    const users = Array.from({ length: 3_000 }, (_, index) => userId(index));
    for (const user of users.slice(0, 2_000)) writeFileSync(folder.in(`${user}.pkey`), KEY);
    writeFileSync(folder.in(`${users[2_500]}.pkey.partial`), KEY);
    writeFileSync(folder.in('.pkey'), KEY);
    const names = await readKeyNames(folder.path);
    expect(names.count).toBe(2_001);
    expect(users.map((user) => names.has(user))).toEqual(users.map((_, index) => index < 2_000));
  });

  it('are none in an empty folder', async () => {
    const names = await readKeyNames(folder.path);
    expect([names.count, names.has(USER)]).toEqual([0, false]);
  });

  it('of 300,000 users who differ in one digit are never taken for one another', () => {
    // As ids that count up, or that begin with the time.
    const digests = new Set(Array.from({ length: 300_000 }, (_, index) => digestOf(userId(index))));
    expect(digests.size).toBe(300_000);
    expect([...digests].every(Number.isSafeInteger)).toBe(true);
  });

  it('that were asked for one by one say what is there: a file, not a folder or a link', async () => {
    await writeKeyFile(folder.path, USER, KEY);
    mkdirSync(folder.in('folder.pkey'));
    symlinkSync(path(), folder.in('link.pkey'));
    expect([USER, 'folder', 'link', 'nobody'].map((user) => hasKeyFile(folder.path, user))).toEqual([true, false, false, false]);
    expect(await holdsKey(folder.path, USER, KEY)).toBe(true);
    expect(await holdsKey(folder.path, USER, OTHER_KEY)).toBe(false);
    expect(await holdsKey(folder.path, 'nobody', KEY)).toBe(false);
  });
});

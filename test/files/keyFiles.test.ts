import { chmodSync, chownSync, lstatSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { sep } from 'node:path';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { AppError } from '../../src/errors.js';
import { checkKeyFiles, closeToOthers } from '../../src/files/checkKeyFiles.js';
import { hasKeyFile, holdsKey, writeKeyFile } from '../../src/files/keyFiles.js';
import { prepareFolder, requireOwnFolder } from '../../src/files/ownFolder.js';
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
    await expect(prepareFolder(folder.in('pkeys') + ending)).rejects.toMatchObject({ kind: 'usage', message: 'is a link', mend: expect.stringContaining('links are not followed') as string });
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

const NOBODY = 65_534;
/** Only root can give a file away. */
const asRoot = it.skipIf(process.getuid?.() !== 0);

describe('a folder that is looked at again', () => {
  it('is refused once it has become a link, and nothing is said where it is gone', async () => {
    await prepareFolder(folder.in('pkeys'));
    requireOwnFolder(folder.in('pkeys'));
    rmSync(folder.in('pkeys'), { recursive: true });
    requireOwnFolder(folder.in('pkeys'));
    mkdirSync(folder.in('target'));
    symlinkSync(folder.in('target'), folder.in('pkeys'));
    expect(() => requireOwnFolder(folder.in('pkeys'))).toThrow('is a link');
    expect(() => requireOwnFolder(`${folder.in('pkeys')}/`)).toThrow('is a link');
  });

  asRoot('is refused where another user owns it: he could put anything in the place of a key', async () => {
    mkdirSync(folder.in('pkeys'), { mode: 0o700 });
    chownSync(folder.in('pkeys'), NOBODY, NOBODY);
    await expect(prepareFolder(folder.in('pkeys'))).rejects.toMatchObject({ kind: 'usage', message: 'belongs to another user (uid 65534)', mend: expect.stringContaining('chown') as string });
    expect(() => requireOwnFolder(folder.in('pkeys'))).toThrow('belongs to another user');
  });
});

describe('the check of all key files', () => {
  it('closes those that others can read, and leaves the others as they are', async () => {
    for (const [name, mode] of [['a.pkey', 0o644], ['b.pkey', 0o600], ['c.pkey', 0o660], ['d.pkey.partial', 0o604], ['e.pkey', 0o400], ['f.pkey', 0o700]] as const) {
      writeFileSync(folder.in(name), KEY);
      chmodSync(folder.in(name), mode);
    }
    expect(await checkKeyFiles(folder.path)).toEqual({ tightened: 4, foreign: new Set() });
    for (const name of ['a.pkey', 'b.pkey', 'c.pkey', 'd.pkey.partial', 'f.pkey']) expect(modeOf(folder.in(name)), name).toBe(0o600);
    expect(modeOf(folder.in('e.pkey'))).toBe(0o400);
    expect(await checkKeyFiles(folder.path)).toEqual({ tightened: 0, foreign: new Set() });
  });

  it('tells of links and does not follow them: what they lead to keeps its mode', async () => {
    writeFileSync(folder.in('elsewhere'), 'not ours');
    mkdirSync(folder.in('pkeys'));
    chmodSync(folder.in('elsewhere'), 0o644);
    symlinkSync(folder.in('elsewhere'), folder.in('pkeys', `${USER}.pkey`));
    symlinkSync(folder.in('nowhere'), folder.in('pkeys', 'dangling.pkey'));
    expect(await checkKeyFiles(folder.in('pkeys'))).toEqual({ tightened: 0, foreign: new Set([USER, 'dangling']) });
    expect(modeOf(folder.in('elsewhere'))).toBe(0o644);
    expect(closeToOthers(folder.in('pkeys', `${USER}.pkey`))).toBe(false);
    expect(modeOf(folder.in('elsewhere'))).toBe(0o644);
  });

  asRoot('tells of another user’s files, which count as missing', async () => {
    writeFileSync(path(), KEY, { mode: 0o600 });
    chownSync(path(), NOBODY, NOBODY);
    expect(await checkKeyFiles(folder.path)).toEqual({ tightened: 0, foreign: new Set([USER]) });
    expect([hasKeyFile(folder.path, USER), await holdsKey(folder.path, USER, KEY)]).toEqual([false, false]);
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

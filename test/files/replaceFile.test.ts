import { chmodSync, existsSync, lstatSync, linkSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import fc from 'fast-check';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { replaceFile } from '../../src/files/replaceFile.js';
import { modeOf, useFolder, whileReadOnly } from './folder.js';

const files = await vi.hoisted(async () => (await import('./crashingFiles.js')).createCrashingFiles());
vi.mock('node:fs/promises', async (original) => files.wrap(await original()));

const folder = useFolder();
const path = () => folder.in('flow.json');
const read = (name: string): string => readFileSync(folder.in(name), 'utf8');
const names = (): string[] => readdirSync(folder.path).toSorted();

beforeEach(() => files.reset());

describe('a replaced file', () => {
  it('has the new text and nothing else lies beside it the first time', async () => {
    await replaceFile(path(), 'one', 0o600);
    expect(read('flow.json')).toBe('one');
    expect(names()).toEqual(['flow.json']);
  });

  it('keeps exactly its previous version as .backup', async () => {
    for (const text of ['one', 'two', 'three']) await replaceFile(path(), text, 0o600);
    expect(read('flow.json')).toBe('three');
    expect(read('flow.json.backup')).toBe('two');
    expect(names()).toEqual(['flow.json', 'flow.json.backup']);
  });

  it('holds any text, byte for byte', async () => {
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: 'grapheme', maxLength: 200 }), fc.string({ unit: 'grapheme', maxLength: 200 }), async (one, two) => {
        await replaceFile(path(), one, 0o600);
        await replaceFile(path(), two, 0o600);
        expect(read('flow.json')).toBe(two);
        expect(read('flow.json.backup')).toBe(one);
      }),
      { numRuns: 30 },
    );
  });

  it('has the mode it was given, and so has its backup, whatever the umask and the old modes', async () => {
    writeFileSync(path(), 'old');
    writeFileSync(folder.in('flow.json.backup'), 'older');
    for (const name of names()) chmodSync(folder.in(name), 0o666);
    await replaceFile(path(), 'new', 0o600);
    expect([modeOf(path()), modeOf(folder.in('flow.json.backup'))]).toEqual([0o600, 0o600]);
    await replaceFile(path(), 'newer', 0o644);
    expect(modeOf(path())).toBe(0o644);
  });

  it('takes no notice of what a killed writer left behind', async () => {
    writeFileSync(path(), 'old');
    writeFileSync(folder.in('flow.json.partial'), 'a longer text that was torn', { mode: 0o666 });
    writeFileSync(folder.in('flow.json.backup.partial'), 'another torn text', { mode: 0o666 });
    await replaceFile(path(), 'new', 0o600);
    expect([read('flow.json'), read('flow.json.backup')]).toEqual(['new', 'old']);
    expect(names()).toEqual(['flow.json', 'flow.json.backup']);
  });
});

describe('a link', () => {
  it.each(['flow.json', 'flow.json.partial', 'flow.json.backup', 'flow.json.backup.partial'])('is replaced and not followed: %s', async (name) => {
    const target = folder.in('elsewhere');
    writeFileSync(target, 'not ours', { mode: 0o644 });
    if (name !== 'flow.json') writeFileSync(path(), 'old');
    symlinkSync(target, folder.in(name));
    await replaceFile(path(), 'new', 0o600);
    expect(readFileSync(target, 'utf8')).toBe('not ours');
    expect(modeOf(target)).toBe(0o644);
    expect(read('flow.json')).toBe('new');
    for (const left of names()) expect(lstatSync(folder.in(left)).isSymbolicLink()).toBe(false);
    expect(existsSync(folder.in('flow.json.backup'))).toBe(name !== 'flow.json');
  });

  it('that is hard does not carry the text to its other names', async () => {
    const target = folder.in('elsewhere');
    writeFileSync(target, 'not ours');
    writeFileSync(path(), 'old');
    for (const name of ['flow.json.partial', 'flow.json.backup.partial', 'flow.json.backup']) linkSync(target, folder.in(name));
    await replaceFile(path(), 'new', 0o600);
    expect(readFileSync(target, 'utf8')).toBe('not ours');
  });
});

describe('a write that fails', () => {
  it('in a read-only folder leaves the old file and its backup', async () => {
    writeFileSync(path(), 'old', { mode: 0o600 });
    writeFileSync(folder.in('flow.json.backup'), 'older', { mode: 0o600 });
    await whileReadOnly(folder.path, async () => {
      await expect(replaceFile(path(), 'new', 0o600)).rejects.toMatchObject({ code: 'EACCES' });
    });
    expect([read('flow.json'), read('flow.json.backup')]).toEqual(['old', 'older']);
    expect(names()).toEqual(['flow.json', 'flow.json.backup']);
  });

  it.each(['flow.json.partial', 'flow.json.backup', 'flow.json.backup.partial'])('because a folder is in the way leaves the old file: %s', async (name) => {
    writeFileSync(path(), 'old');
    mkdirSync(folder.in(name, 'inner'), { recursive: true });
    await expect(replaceFile(path(), 'new', 0o600)).rejects.toThrow();
    expect(read('flow.json')).toBe('old');
    expect(names()).toEqual(['flow.json', name]);
  });

  it('because the folder is gone throws the system’s error', async () => {
    await expect(replaceFile(folder.in('gone', 'flow.json'), 'new', 0o600)).rejects.toMatchObject({ code: 'ENOENT' });
  });
});

/** How many file calls one replacement of an existing file takes. */
async function countCalls(): Promise<number> {
  files.reset();
  await replaceFile(path(), 'two', 0o600);
  return files.calls();
}

const restore = (): void => {
  for (const [name, text] of [['flow.json', 'text two'], ['flow.json.backup', 'text one']] as const) {
    // Not written into: a crash may have left both names to one file.
    rmSync(folder.in(name), { force: true });
    writeFileSync(folder.in(name), text);
  }
};

describe('at whichever call', () => {
  it('the disk fails, the file is the old or the new one, whole, and nothing half-written stays', async () => {
    restore();
    const calls = await countCalls();
    expect(calls).toBeGreaterThan(15);
    for (let call = 1; call <= calls; call += 1) {
      restore();
      files.failFrom(call);
      await replaceFile(path(), 'text three', 0o600).catch(() => undefined);
      const where = `${files.names()[call - 1]}, call ${call}`;
      files.reset();
      expect(['text two', 'text three'], where).toContain(read('flow.json'));
      expect(['text one', 'text two'], where).toContain(read('flow.json.backup'));
      expect(names(), where).toEqual(['flow.json', 'flow.json.backup']);
    }
  });

  it('the process dies, the file is the old or the new one, the backup is whole, and the next write succeeds', async () => {
    restore();
    const calls = await countCalls();
    for (let call = 1; call <= calls; call += 1) {
      restore();
      files.crashFrom(call);
      await expect(replaceFile(path(), 'text three', 0o600)).rejects.toThrow();
      const where = `${files.names()[call - 1]}, call ${call}`;
      files.reset();
      const [now, backup] = [read('flow.json'), read('flow.json.backup')];
      expect([`text two/text one`, 'text two/text two', 'text three/text two'], where).toContain(`${now}/${backup}`);
      await replaceFile(path(), 'text four', 0o600);
      expect([read('flow.json'), read('flow.json.backup')], where).toEqual(['text four', now]);
      expect(names(), where).toEqual(['flow.json', 'flow.json.backup']);
    }
  });

  it('the power goes, nothing was renamed to its place before its content was on the disk', async () => {
    restore();
    files.reset();
    await replaceFile(path(), 'text three', 0o600);
    expect(files.renamedUnsynced()).toEqual([]);
    expect(files.names().filter((name) => name === 'sync')).toHaveLength(3);
  });
});

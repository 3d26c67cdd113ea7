import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { execFileSync } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { AppError } from '../../src/errors.js';
import { openMasterKey } from '../../src/masterKey/openMasterKey.js';
import { describeMasterKeySource, parseMasterKeySource } from '../../src/masterKey/source.js';
import { faultOf } from '../support/faultOf.js';

const KEY = Buffer.alloc(32, 0xa7);
const ARN = 'arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab';
const BLOB = Buffer.alloc(184, 0xc3).toString('base64');

let folder: string;
beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), 'master-key-test-'))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function write(text: string, mode = 0o600, name = 'key'): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  chmodSync(path, mode);
  return path;
}
const open = (text: string): Promise<Buffer> => openMasterKey(parseMasterKeySource(text));
const failed = (work: Promise<unknown>): Promise<AppError> => work.then(() => Promise.reject(new Error('nothing was thrown')), (error: AppError) => error);

describe('a master key source', () => {
  it.each([
    ['value', KEY.toString('hex')],
    ['value', KEY.toString('base64')],
    ['file', 'file:/etc/wallet-sync/master.key'],
    ['mounted', 'mounted:/run/secrets/master'],
    ['aws-kms', `aws-kms:${BLOB}`],
    ['aws-kms', `aws-kms:${ARN}:${BLOB}`],
  ])('%s shows its kind and nothing else: not in JSON, not by inspection, not copied', (kind, text) => {
    const source = parseMasterKeySource(text);
    expect(source.kind).toBe(kind);
    expect(Object.isFrozen(source)).toBe(true);
    expect(JSON.stringify({ ...source, source })).toBe(JSON.stringify({ kind, source: { kind } }));
    expect(inspect(source, { showHidden: true, depth: 9, getters: true })).toMatch(/^\{ kind: '[a-z-]+' \}$/);
    expect(describeMasterKeySource(source, 'WALLET_ENCRYPTION_KEY')).toMatch(kind === 'value' ? /^[0-9a-f]{8}$/ : new RegExp(`^${kind} [0-9a-f]{8}$`));
  });

  it.each([
    ['nothing after file:', 'file:'],
    ['a relative path', 'file:keys/master.key'],
    ['a key where a path belongs', `file:${KEY.toString('hex')}`],
    ['a key where a mounted path belongs', `mounted:${KEY.toString('base64')}`],
    ['a blob that is no base64', 'aws-kms:not*base64'],
    ['a blob that is too short', `aws-kms:${Buffer.alloc(20).toString('base64')}`],
    ['a blob without its end', `aws-kms:${BLOB.slice(0, -1)}`],
    ['a key that is none of KMS', `aws-kms:arn:aws:s3:::bucket:${BLOB}`],
    ['a bare key id', `aws-kms:1234abcd:${BLOB}`],
    ['another scheme', 'vault:secret/data/key'],
  ])('with %s is refused, and the fault repeats nothing of it', (_, text) => {
    const fault = faultOf(() => parseMasterKeySource(text));
    expect(fault.kind).toBe('usage');
    const rest = text.slice(text.indexOf(':') + 1);
    if (rest.length > 0) expect(inspect(fault)).not.toContain(rest.slice(-20));
  });

  it('never repeats any of 10,000 texts in a fault', { timeout: 60_000 }, () => {
    fc.assert(
      fc.property(fc.constantFrom('', 'file:', 'mounted:', 'aws-kms:', `aws-kms:${ARN}:`), fc.string({ minLength: 12, unit: 'grapheme-ascii' }), (scheme, text) => {
        try {
          parseMasterKeySource(scheme + text);
        } catch (thrown) {
          expect(thrown).toMatchObject({ kind: 'usage' });
          expect((thrown as AppError).explain()).not.toContain(text);
        }
      }),
      { numRuns: 10_000, seed: 11 },
    );
  });
});

describe('a master key in a file', () => {
  it.each([
    ['hex', KEY.toString('hex')],
    ['hex and a newline', `${KEY.toString('hex')}\n`],
    ['base64 and a newline', `${KEY.toString('base64')}\n`],
    ['hex and a newline of Windows', `${KEY.toString('hex')}\r\n`],
  ])('as %s opens', async (_, text) => {
    expect((await open(`file:${write(text)}`)).equals(KEY)).toBe(true);
    expect((await open(`file:${write(text, 0o400)}`)).equals(KEY)).toBe(true);
  });

  it.each([
    ['two newlines', `${KEY.toString('hex')}\n\n`],
    ['a space before it', ` ${KEY.toString('hex')}`],
    ['nothing in it', ''],
    ['16 bytes', `${KEY.toString('hex').slice(32)}\n`],
    ['a name before it', `KEY=${KEY.toString('hex')}\n`],
  ])('with %s is refused, and not repeated', async (_, text) => {
    const error = await failed(open(`file:${write(text)}`));
    expect(error).toMatchObject({ kind: 'usage', where: 'WALLET_ENCRYPTION_KEY' });
    expect(inspect(error)).not.toContain(KEY.toString('hex').slice(0, 16));
  });

  it.each([0o644, 0o640, 0o604, 0o660, 0o602, 0o611])('that others can read or write (mode %o) is refused', async (mode) => {
    const path = write(KEY.toString('hex'), mode);
    expect(await failed(open(`file:${path}`))).toMatchObject({ kind: 'usage', where: 'WALLET_ENCRYPTION_KEY', mend: `chmod 600 ${path}` });
  });

  it('is not followed over a link', async () => {
    symlinkSync(write(KEY.toString('hex')), join(folder, 'link'));
    expect(await failed(open(`file:${join(folder, 'link')}`))).toMatchObject({ kind: 'usage', message: expect.stringContaining('link') as string, mend: expect.stringContaining('mounted:') as string });
  });

  it('in a folder that others can write is refused: they could put another there', async () => {
    const path = write(KEY.toString('hex'));
    chmodSync(folder, 0o777);
    expect(await failed(open(`file:${path}`))).toMatchObject({ kind: 'usage', message: expect.stringContaining('folder that others can write') as string });
  });

  it('that is a folder, a pipe, a device or not there is refused at once', async () => {
    mkdirSync(join(folder, 'folder'), { mode: 0o700 });
    execFileSync('mkfifo', ['-m', '600', join(folder, 'pipe')]);
    for (const path of [join(folder, 'folder'), join(folder, 'pipe'), '/dev/zero', join(folder, 'nowhere')]) {
      expect(await failed(open(`file:${path}`))).toMatchObject({ kind: 'usage', where: 'WALLET_ENCRYPTION_KEY' });
    }
  });

  it('that is large is not read whole', async () => {
    expect(await failed(open(`file:${write('a'.repeat(1_000_000))}`))).toMatchObject({ kind: 'usage', message: expect.stringContaining('longer than') as string });
  });

  it.skipIf(process.getuid?.() !== 0)('of another user is refused', async () => {
    const path = write(KEY.toString('hex'));
    execFileSync('chown', ['12345', path]);
    expect(await failed(open(`file:${path}`))).toMatchObject({ kind: 'usage', message: expect.stringContaining('belongs to another user') as string });
  });
});

describe('a mounted secret', () => {
  /** As Kubernetes mounts one: key -> ..data/key, ..data -> ..2026_11_27. */
  function mount(mode = 0o444): string {
    mkdirSync(join(folder, '..2026_11_27'), { mode: 0o755 });
    write(`${KEY.toString('hex')}\n`, mode, '..2026_11_27/key');
    symlinkSync('..2026_11_27', join(folder, '..data'));
    symlinkSync('..data/key', join(folder, 'key'));
    return join(folder, 'key');
  }

  it('opens over the links of its own folder, and readable by others, as Kubernetes mounts it', async () => {
    expect((await open(`mounted:${mount()}`)).equals(KEY)).toBe(true);
  });

  it('opens as a plain file of mode 0444, as Docker mounts it', async () => {
    expect((await open(`mounted:${write(KEY.toString('base64'), 0o444)}`)).equals(KEY)).toBe(true);
  });

  it('that others can write is refused', async () => {
    expect(await failed(open(`mounted:${mount(0o666)}`))).toMatchObject({ kind: 'usage', message: expect.stringContaining('written by others') as string });
  });

  it('whose link leads out of its folder is refused', async () => {
    mkdirSync(join(folder, 'secrets'), { mode: 0o755 });
    write(KEY.toString('hex'));
    symlinkSync('../key', join(folder, 'secrets', 'key'));
    expect(await failed(open(`mounted:${join(folder, 'secrets', 'key')}`))).toMatchObject({ kind: 'usage', message: expect.stringContaining('leads out of its folder') as string });
  });

  it('in a folder that others can write is refused', async () => {
    const path = mount();
    chmodSync(folder, 0o777);
    expect(await failed(open(`mounted:${path}`))).toMatchObject({ kind: 'usage', message: expect.stringContaining('folder that others can write') as string });
  });
});

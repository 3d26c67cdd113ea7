import { createCipheriv, pbkdf2Sync, randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { createBlobReader, readPlainKey, shapeOf, type BlobReader } from '../../../src/handlers/adopt/oldKeys.js';
import { generateKeyPair, publicKeyOf } from '../../../src/flow/keys.js';

const PASSPHRASE = 'an old passphrase, with ümlauts';
const SALT = Buffer.alloc(16, 7);
const ORDER = 'ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551';
let derived: Buffer;
/** One salt: the reader keeps what it derived, so that a fuzz of thousands derives once. */
let reader: BlobReader;
beforeAll(async () => {
  derived = pbkdf2Sync(PASSPHRASE, SALT, 100_000, 32, 'sha256');
  reader = createBlobReader(PASSPHRASE);
  await reader.read(blob('x'));
});

function blob(plain: string | Buffer): string {
  const nonce = randomBytes(12);
  const cipher = createCipheriv('aes-256-gcm', derived, nonce);
  return Buffer.concat([SALT, nonce, cipher.update(plain), cipher.final(), cipher.getAuthTag()]).toString('base64');
}

describe('a key in plain hex', () => {
  it.each([(key: string) => key, (key: string) => key.toUpperCase(), (key: string) => `0x${key}`, (key: string) => ` 0X${key.toUpperCase()}\n`])('is read whatever its case, with or without 0x', (spell) => {
    const { privateKey, publicKey } = generateKeyPair();
    expect(readPlainKey(spell(privateKey))).toEqual({ privateKey, publicKey });
    expect(shapeOf(spell(privateKey))).toBe('plaintext');
  });

  it.each(['', '0x', 'f'.repeat(63), 'f'.repeat(65), '0'.repeat(64), ORDER, `${'f'.repeat(63)}g`])('is none: %s', (text) => {
    expect(readPlainKey(text)).toHaveProperty('fault');
    expect(JSON.stringify(readPlainKey(text))).not.toContain('ffffffff');
  });
});

describe("an older service's blob", () => {
  it('holds hex text or 32 raw bytes: the length decides', async () => {
    const { privateKey, publicKey } = generateKeyPair();
    for (const plain of [privateKey, privateKey.toUpperCase(), `0x${privateKey}`, Buffer.from(privateKey, 'hex')]) expect(await reader.read(blob(plain))).toEqual({ privateKey, publicKey });
    for (const plain of [privateKey.slice(2), Buffer.alloc(32), Buffer.alloc(31, 1), '', 'seed words and no key', `${privateKey}00`]) expect(await reader.read(blob(plain))).toHaveProperty('fault');
  });

  it('opens with its own passphrase alone', async () => {
    expect(await createBlobReader('another').read(blob(generateKeyPair().privateKey))).toEqual({ fault: 'the passphrase does not open it, or it was changed' });
  });

  it('of which any byte was changed or cut does not open, and says nothing of what is inside (1,000 cases)', async () => {
    const { privateKey } = generateKeyPair();
    const whole = Buffer.from(blob(privateKey), 'base64');
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 16, max: whole.length - 1 }), fc.integer({ min: 1, max: 255 }), fc.integer({ min: 0, max: 20 }), async (at, by, cut) => {
        const changed = Buffer.from(whole);
        changed[at] = (changed[at] ?? 0) ^ by;
        const read = await reader.read(changed.subarray(0, changed.length - cut).toString('base64'));
        expect(read).toHaveProperty('fault');
        expect(JSON.stringify(read)).not.toContain(privateKey);
      }),
      { numRuns: 1_000, seed: 20261127 },
    );
  }, 60_000);

  it('whatever its text, is read or refused without a throw (10,000 cases)', async () => {
    // Only the shared salt is derived: 100,000 rounds for each case would take ten minutes and test PBKDF2.
    const anyText = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 300 }),
      fc.base64String({ maxLength: 59 }),
      fc.uint8Array({ minLength: 0, maxLength: 200 }).map((bytes) => Buffer.concat([SALT, bytes]).toString('base64')),
      fc.uint8Array({ minLength: 0, maxLength: 100 }).map((bytes) => blob(Buffer.from(bytes))),
      fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => blob(Buffer.from(bytes))),
    );
    await fc.assert(
      fc.asyncProperty(anyText, async (text) => {
        const read = shapeOf(text) === 'plaintext' ? readPlainKey(text) : await reader.read(text);
        if ('fault' in read) expect(read.fault).not.toBe('');
        else expect(publicKeyOf(read.privateKey)).toBe(read.publicKey);
      }),
      { numRuns: 10_000, seed: 20261127 },
    );
  }, 60_000);
});

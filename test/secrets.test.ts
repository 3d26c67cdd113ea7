import { randomBytes } from 'node:crypto';
import { inspect } from 'node:util';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { AppError } from '../src/errors.js';
import { createVault, keyIdOf, sealedPrefix } from '../src/secrets.js';
import { faultOf } from './support/faultOf.js';

const hex = (bytes: number) => fc.uint8Array({ minLength: bytes, maxLength: bytes }).map((array) => Buffer.from(array).toString('hex'));
const masterKey = fc.uint8Array({ minLength: 32, maxLength: 32 }).map((array) => Buffer.from(array));

const MASTER = randomBytes(32);
const PRIVATE = randomBytes(32).toString('hex');
const PUBLIC = randomBytes(64).toString('hex');
const OTHER_PUBLIC = randomBytes(64).toString('hex');

/** All that a log, a crash report or an answer could show of an error. */
const everythingIn = (error: AppError): string => `${error.explain()}\n${error.stack ?? ''}\n${JSON.stringify(error)}\n${inspect(error, { depth: 10, showHidden: true })}`;

describe('a sealed private key', () => {
  it('opens to what was sealed', () => {
    fc.assert(
      fc.property(masterKey, hex(32), hex(64), (master, privateKey, publicKey) => {
        const vault = createVault(master);
        expect(vault.open(vault.seal(privateKey, publicKey), publicKey)).toBe(privateKey);
      }),
    );
  });

  it('opens in another process with the same master key', () => {
    expect(createVault(Buffer.from(MASTER)).open(createVault(MASTER).seal(PRIVATE, PUBLIC), PUBLIC)).toBe(PRIVATE);
  });

  it('carries its version and the id of its master key', () => {
    const vault = createVault(MASTER);
    expect(vault.seal(PRIVATE, PUBLIC).split(':').slice(0, 2)).toEqual(['v1', vault.keyId]);
    expect(vault.keyId).toMatch(/^[0-9a-f]{8}$/);
    expect(createVault(randomBytes(32)).keyId).not.toBe(vault.keyId);
  });

  it('is another text each time, and shows neither key', () => {
    const vault = createVault(MASTER);
    const texts = Array.from({ length: 50 }, () => vault.seal(PRIVATE, PUBLIC));
    expect(new Set(texts).size).toBe(50);
    for (const text of texts) {
      expect(text).not.toContain(PRIVATE);
      expect(text).not.toContain(Buffer.from(PRIVATE, 'hex').toString('base64').slice(0, 40));
      expect(Buffer.concat(text.split(':').slice(2).map((part) => Buffer.from(part, 'base64'))).includes(MASTER)).toBe(false);
    }
  });

  it('does not open in the row of another public key', () => {
    const vault = createVault(MASTER);
    expect(faultOf(() => vault.open(vault.seal(PRIVATE, PUBLIC), OTHER_PUBLIC)).kind).toBe('data');
  });

  it('does not open with the parts of two rows', () => {
    const vault = createVault(MASTER);
    const [version, id, wrapped] = vault.seal(PRIVATE, PUBLIC).split(':');
    const body = vault.seal(randomBytes(32).toString('hex'), PUBLIC).split(':')[3];
    expect(faultOf(() => vault.open([version, id, wrapped, body].join(':'), PUBLIC)).kind).toBe('data');
  });

  it('does not open under another master key, and says which one it wants', () => {
    fc.assert(
      fc.property(masterKey, masterKey, (one, two) => {
        fc.pre(!one.equals(two));
        const sealed = createVault(one).seal(PRIVATE, PUBLIC);
        const fault = faultOf(() => createVault(two).open(sealed, PUBLIC));
        expect(fault.kind).toBe('data');
        expect(fault.message).toContain(createVault(one).keyId);
        expect(fault.mend).toContain('WALLET_ENCRYPTION_KEY');
      }),
    );
  });

  it('does not open under another master key that its id has been forged for', () => {
    const other = createVault(randomBytes(32));
    const forged = createVault(MASTER).seal(PRIVATE, PUBLIC).replace(/^v1:[0-9a-f]{8}/, `v1:${other.keyId}`);
    expect(faultOf(() => other.open(forged, PUBLIC)).kind).toBe('data');
  });

  it('does not open when any one bit of its bytes was changed', () => {
    const vault = createVault(MASTER);
    const parts = vault.seal(PRIVATE, PUBLIC).split(':');
    for (const part of [2, 3]) {
      const bytes = Buffer.from(parts[part]!, 'base64');
      for (let bit = 0; bit < bytes.length * 8; bit += 1) {
        const changed = Buffer.from(bytes);
        changed[bit >> 3]! ^= 1 << (bit & 7);
        const text = parts.with(part, changed.toString('base64')).join(':');
        expect(faultOf(() => vault.open(text, PUBLIC)).kind).toBe('data');
      }
    }
  });

  it('does not open when any one character was changed, dropped or doubled', () => {
    const vault = createVault(MASTER);
    const sealed = vault.seal(PRIVATE, PUBLIC);
    for (let index = 0; index < sealed.length; index += 1) {
      const [before, character, after] = [sealed.slice(0, index), sealed[index]!, sealed.slice(index + 1)];
      const others = ['A', 'b', '0', '-', '_', '=', ' ', ':', '\n', ''].filter((other) => other !== character);
      for (const other of [...others, character + character]) {
        expect(faultOf(() => vault.open(before + other + after, PUBLIC)).kind, `character ${index}`).toBe('data');
      }
    }
  });

  it('does not open when the same bytes are spelt in another way', () => {
    const vault = createVault(MASTER);
    // The URL alphabet and a line end mean the same to the decoder, but this program never writes them.
    let sealed = vault.seal(PRIVATE, PUBLIC);
    while (!/[+/]/.test(sealed)) sealed = vault.seal(PRIVATE, PUBLIC);
    for (const text of [sealed.replaceAll('+', '-').replaceAll('/', '_'), `${sealed}\n`, `${sealed}==`]) {
      expect(faultOf(() => vault.open(text, PUBLIC)).kind).toBe('data');
    }
  });

  it('does not open, and throws nothing but `data`, whatever the text is', () => {
    const vault = createVault(MASTER);
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.array(fc.base64String(), { maxLength: 5 }).map((parts) => ['v1', vault.keyId, ...parts].join(':'))), (text) => {
        expect(faultOf(() => vault.open(text, PUBLIC)).kind).toBe('data');
      }),
    );
  });
});

describe('a ring of master keys', () => {
  const [old, next] = [randomBytes(32), randomBytes(32)];
  const ring = createVault(old, next);

  it('seals under the first, or under the one that is named, and opens what is under any', () => {
    expect(ring.keyIds).toEqual([createVault(old).keyId, createVault(next).keyId]);
    expect(ring.keyId).toBe(ring.keyIds[0]);
    expect(keyIdOf(ring.seal(PRIVATE, PUBLIC))).toBe(ring.keyIds[0]);
    const sealed = ring.seal(PRIVATE, PUBLIC, ring.keyIds[1]);
    expect(keyIdOf(sealed)).toBe(ring.keyIds[1]);
    expect(sealed.startsWith(sealedPrefix(ring.keyIds[1]!))).toBe(true);
    expect([createVault(old).seal(PRIVATE, PUBLIC), sealed].map((text) => ring.open(text, PUBLIC))).toEqual([PRIVATE, PRIVATE]);
    expect(createVault(next).open(sealed, PUBLIC)).toBe(PRIVATE);
  });

  it('does not seal under one that it does not hold, and says which it is', () => {
    const fault = faultOf(() => ring.seal(PRIVATE, PUBLIC, '01234567'));
    expect(fault).toMatchObject({ kind: 'usage', where: 'WALLET_ENCRYPTION_KEY' });
    expect(fault.mend).toContain('01234567');
  });

  it('does not open a key whose id was changed to that of another of its master keys', () => {
    const sealed = ring.seal(PRIVATE, PUBLIC).replace(ring.keyIds[0]!, ring.keyIds[1]!);
    expect(faultOf(() => ring.open(sealed, PUBLIC)).kind).toBe('data');
    expect(ring.recognizes(sealed, PUBLIC)).toBe(false);
  });

  it('knows its own ciphertexts without opening a key', () => {
    const sealed = ring.seal(PRIVATE, PUBLIC);
    const [version, id, wrapped] = sealed.split(':');
    expect(ring.recognizes([version, id, wrapped, ''].join(':'), PUBLIC)).toBe(true);
    expect([sealed, ring.seal(PRIVATE, PUBLIC, ring.keyIds[1])].map((text) => ring.recognizes(text, PUBLIC))).toEqual([true, true]);
    for (const [text, publicKey] of [[sealed, OTHER_PUBLIC], [createVault(randomBytes(32)).seal(PRIVATE, PUBLIC), PUBLIC], ['', PUBLIC], ['v1:lost', PUBLIC]] as const) expect(ring.recognizes(text, publicKey)).toBe(false);
  });

  it('has the same key once', () => expect(createVault(old, Buffer.from(old)).keyIds).toHaveLength(1));
});

describe('what is no private key', () => {
  it.each([
    ['empty', ''],
    ['too short', 'ab'.repeat(31)],
    ['too long', 'ab'.repeat(33)],
    ['with a prefix', `0x${'ab'.repeat(32)}`],
    ['not hex', `${'ab'.repeat(31)}zz`],
    ['with a line end', `${'ab'.repeat(32)}\n`],
  ])('is not sealed: %s', (_, text) => {
    const fault = faultOf(() => createVault(MASTER).seal(text, PUBLIC));
    expect(fault.kind).toBe('data');
    if (text !== '') expect(everythingIn(fault)).not.toContain(text.slice(0, 16));
  });

  it.each([0, 16, 31, 33])('is no master key with %i bytes', (length) => {
    const fault = faultOf(() => createVault(Buffer.alloc(length, 0xab)));
    expect(fault.kind).toBe('usage');
    expect(everythingIn(fault)).not.toContain('abab');
  });
});

describe('key material', () => {
  it('is in no error', () => {
    const vault = createVault(MASTER);
    const sealed = vault.seal(PRIVATE, PUBLIC);
    const [, , wrapped, body] = sealed.split(':');
    const faults = [
      faultOf(() => vault.open(sealed, OTHER_PUBLIC)),
      faultOf(() => vault.open(`${sealed.slice(0, -5)}AAAA`, PUBLIC)),
      faultOf(() => createVault(randomBytes(32)).open(sealed, PUBLIC)),
      // A key that was stored in the open, alone and where the id should be.
      faultOf(() => vault.open(PRIVATE, PUBLIC)),
      faultOf(() => vault.open(`v1:${PRIVATE}:${wrapped}:${body}`, PUBLIC)),
      faultOf(() => vault.open(`v1:${vault.keyId}:${PRIVATE}:${PRIVATE}`, PUBLIC)),
    ];
    for (const fault of faults) {
      const text = everythingIn(fault);
      for (const secret of [PRIVATE, MASTER.toString('hex'), MASTER.toString('base64'), sealed, wrapped!, body!]) expect(text).not.toContain(secret);
      expect(fault.cause).toBeUndefined();
    }
  });

  it('is not reachable from the vault', () => {
    const vault = createVault(MASTER);
    const text = `${inspect(vault, { depth: 10, showHidden: true })} ${JSON.stringify(vault)}`;
    expect(JSON.parse(JSON.stringify(vault))).toEqual({ keyId: vault.keyId, keyIds: [vault.keyId] });
    expect(text).not.toContain('Buffer');
    expect(text).not.toContain(MASTER.toString('hex'));
  });
});

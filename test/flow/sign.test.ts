import { inspect } from 'node:util';
import { createPublicKey, verify } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { generateKeyPair, publicKeyOf, verifySignature } from '../../src/flow/keys.js';
import { createSigner } from '../../src/flow/sign.js';

const message = Buffer.from('FLOW-V0.0-transaction').toString('hex').padEnd(64, '0') + 'c0ffee';
const algorithms = [
  { signatureAlgorithm: 'ECDSA_P256', hashAlgorithm: 'SHA3_256', crv: 'P-256', hash: 'sha3-256' },
  { signatureAlgorithm: 'ECDSA_P256', hashAlgorithm: 'SHA2_256', crv: 'P-256', hash: 'sha256' },
  { signatureAlgorithm: 'ECDSA_secp256k1', hashAlgorithm: 'SHA2_256', crv: 'secp256k1', hash: 'sha256' },
  { signatureAlgorithm: 'ECDSA_secp256k1', hashAlgorithm: 'SHA3_256', crv: 'secp256k1', hash: 'sha3-256' },
] as const;

describe('a key pair', () => {
  it('has a private key of 32 bytes and the public key that belongs to it, 64 bytes without 04', () => {
    for (let i = 0; i < 50; i++) {
      const pair = generateKeyPair();
      expect(pair.privateKey).toMatch(/^[0-9a-f]{64}$/);
      expect(pair.publicKey).toMatch(/^[0-9a-f]{128}$/);
      expect(publicKeyOf(pair.privateKey)).toBe(pair.publicKey);
    }
  });

  it('is another one each time', () => {
    expect(new Set(Array.from({ length: 50 }, () => generateKeyPair().privateKey)).size).toBe(50);
  });

  it.each(['', 'ab', 'zz'.repeat(32), '00'.repeat(32), 'ff'.repeat(32), 'ab'.repeat(33)])('is not made from %j, and the refusal does not repeat it', (text) => {
    expect(() => publicKeyOf(text)).toThrow(expect.objectContaining({ kind: 'data' }));
    try {
      publicKeyOf(text);
    } catch (error) {
      if (text.length > 2) expect(String(error)).not.toContain(text);
    }
  });
});

describe('a signer', () => {
  it.each(algorithms)('signs what OpenSSL verifies: $signatureAlgorithm with $hashAlgorithm', async ({ crv, hash, ...options }) => {
    const { privateKey } = generateKeyPair();
    const signer = createSigner({ privateKey, ...options });
    const signature = Buffer.from(await signer.sign(message), 'hex');
    expect(signature).toHaveLength(64);
    const [x, y] = [signer.publicKey.slice(0, 64), signer.publicKey.slice(64)].map((part) => Buffer.from(part, 'hex').toString('base64url'));
    const key = createPublicKey({ key: { kty: 'EC', crv, x: x!, y: y! }, format: 'jwk' });
    expect(verify(hash, Buffer.from(message, 'hex'), { key, dsaEncoding: 'ieee-p1363' }, signature)).toBe(true);
  });

  it('signs the same message in the same way', async () => {
    const signer = createSigner({ privateKey: generateKeyPair().privateKey, signatureAlgorithm: 'ECDSA_P256', hashAlgorithm: 'SHA3_256' });
    expect(await signer.sign(message)).toBe(await signer.sign(message));
  });

  it.each(['', 'a', 'xyz', '0x00'])('does not sign %j', async (text) => {
    const signer = createSigner({ privateKey: generateKeyPair().privateKey, signatureAlgorithm: 'ECDSA_P256', hashAlgorithm: 'SHA3_256' });
    await expect(signer.sign(text)).rejects.toMatchObject({ kind: 'internal' });
  });

  it('shows its private key to nobody', () => {
    const { privateKey } = generateKeyPair();
    const signer = createSigner({ privateKey, signatureAlgorithm: 'ECDSA_P256', hashAlgorithm: 'SHA3_256' });
    const shown = [JSON.stringify(signer), inspect(signer, { depth: 10, showHidden: true }), String(signer), JSON.stringify(Object.getOwnPropertyDescriptors(signer)), signer.sign.toString()].join('\n');
    expect(shown).not.toContain(privateKey);
    expect(shown).not.toContain(BigInt(`0x${privateKey}`).toString());
  });
});

it('a signature with any bit changed does not verify', async () => {
  const signer = createSigner({ privateKey: generateKeyPair().privateKey, signatureAlgorithm: 'ECDSA_P256', hashAlgorithm: 'SHA2_256' });
  const { createHash } = await import('node:crypto');
  const digest = createHash('sha256').update(Buffer.from(message, 'hex')).digest();
  const signature = await signer.sign(message);
  const check = (text: string): boolean => verifySignature({ publicKey: signer.publicKey, digest, signature: text, algorithm: 'ECDSA_P256' });
  expect(check(signature)).toBe(true);
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 511 }), (bit) => {
      const bytes = Buffer.from(signature, 'hex');
      bytes[bit >> 3]! ^= 1 << (bit & 7);
      return !check(bytes.toString('hex'));
    }),
    { numRuns: 40 },
  );
  expect(check('')).toBe(false);
  expect(check(signature.slice(2))).toBe(false);
});

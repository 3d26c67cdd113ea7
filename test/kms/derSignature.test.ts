import { generateKeyPairSync, sign } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { signatureFromDer } from '../../src/kms/derSignature.js';
import { faultOf } from '../support/faultOf.js';

/** A number as DER has it: shortest form, positive. */
function integer(bytes: Uint8Array): Buffer {
  let from = 0;
  while (from < bytes.length - 1 && bytes[from] === 0) from++;
  const digits = Buffer.from(bytes.subarray(from));
  const body = digits[0]! >= 0x80 ? Buffer.concat([Buffer.from([0]), digits]) : digits;
  return Buffer.concat([Buffer.from([0x02, body.length]), body]);
}
const sequence = (...parts: readonly Uint8Array[]): Buffer => {
  const body = Buffer.concat(parts);
  return Buffer.concat([Buffer.from([0x30, body.length]), body]);
};
const half = fc.uint8Array({ minLength: 32, maxLength: 32 }).filter((bytes) => bytes.some((byte) => byte !== 0));

describe('a signature in DER', () => {
  it('is read as r and s of 32 bytes each, whatever zeros they begin with', () => {
    fc.assert(
      fc.property(half, half, fc.nat(31), (r, s, zeros) => {
        r.fill(0, 0, zeros);
        fc.pre(r.some((byte) => byte !== 0));
        expect(signatureFromDer(sequence(integer(r), integer(s)))).toBe(Buffer.from(r).toString('hex') + Buffer.from(s).toString('hex'));
      }),
    );
  });

  it.each(['prime256v1', 'secp256k1'])('of OpenSSL on %s is read as its own r and s', { timeout: 60_000 }, (namedCurve) => {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve });
    for (let i = 0; i < 50; i++) {
      const der = sign('sha256', Buffer.from([i]), privateKey);
      expect(signatureFromDer(der)).toMatch(/^[0-9a-f]{128}$/);
    }
  });

  const one = integer(Buffer.from([1]));
  it.each<[string, Uint8Array]>([
    ['nothing', Buffer.alloc(0)],
    ['no sequence', Buffer.from([0x31, 6, ...one, ...one])],
    ['a byte too many', Buffer.concat([sequence(one, one), Buffer.from([0])])],
    ['a byte too few', sequence(one, one).subarray(0, -1)],
    ['three numbers', sequence(one, one, one)],
    ['one number', sequence(one)],
    ['a negative number', sequence(Buffer.from([0x02, 1, 0x80]), one)],
    ['a zero too many', sequence(Buffer.from([0x02, 2, 0, 1]), one)],
    ['no digits', sequence(Buffer.from([0x02, 0]), one)],
    ['zero', sequence(Buffer.from([0x02, 1, 0]), one)],
    ['33 bytes of digits', sequence(Buffer.concat([Buffer.from([0x02, 33, 0x01]), Buffer.alloc(32, 1)]), one)],
    ['a length in two bytes', Buffer.from([0x30, 0x81, 6, ...one, ...one])],
    ['a number that runs over the end', Buffer.from([0x30, 6, 0x02, 0x20, 1, 0x02, 1, 1])],
  ])('with %s is refused', (_, der) => {
    expect(faultOf(() => signatureFromDer(der)).kind).toBe('data');
  });

  it('is never read from 10,000 other texts, and nothing but a fault is thrown', { timeout: 60_000 }, () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => {
        try {
          expect(signatureFromDer(bytes)).toMatch(/^[0-9a-f]{128}$/);
        } catch (thrown) {
          expect(thrown).toMatchObject({ kind: 'data' });
        }
      }),
      { numRuns: 10_000, seed: 7 },
    );
  });
});

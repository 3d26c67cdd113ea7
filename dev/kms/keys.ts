import { createCipheriv, createDecipheriv, createPrivateKey, createPublicKey, generateKeyPairSync, randomBytes, randomUUID, type KeyObject } from 'node:crypto';
import { p256 } from '@noble/curves/nist.js';
import { secp256k1 } from '@noble/curves/secp256k1.js';

export const CURVES = { ECC_NIST_P256: 'P-256', ECC_SECG_P256K1: 'secp256k1' } as const;
export type EccSpec = keyof typeof CURVES;
export type KeySpec = 'SYMMETRIC_DEFAULT' | EccSpec;
export type KeyState = 'Enabled' | 'Disabled' | 'PendingDeletion' | 'Unavailable';

export interface StandInKey {
  readonly arn: string;
  readonly spec: KeySpec;
  state: KeyState;
  /** x and y, 64 bytes, hex; empty for a symmetric key. */
  readonly publicKey: string;
  readonly secret: KeyObject | Buffer;
}

/** A key, and of an ECC one the private half (32 bytes, hex) where the test has it. */
export function makeKey(spec: KeySpec, arnPrefix: string, privateKey?: string): StandInKey {
  const arn = `${arnPrefix}:key/${randomUUID()}`;
  if (spec === 'SYMMETRIC_DEFAULT') return { arn, spec, state: 'Enabled', publicKey: '', secret: randomBytes(32) };
  const crv = CURVES[spec];
  const secret = privateKey === undefined ? generateKeyPairSync('ec', { namedCurve: crv === 'P-256' ? 'prime256v1' : crv }).privateKey : importKey(crv, privateKey);
  const { x = '', y = '' } = createPublicKey(secret).export({ format: 'jwk' });
  return { arn, spec, state: 'Enabled', publicKey: Buffer.concat([Buffer.from(x, 'base64url'), Buffer.from(y, 'base64url')]).toString('hex'), secret };
}

function importKey(crv: (typeof CURVES)[EccSpec], privateKey: string): KeyObject {
  const point = (crv === 'P-256' ? p256 : secp256k1).getPublicKey(Uint8Array.from(Buffer.from(privateKey, 'hex')), false);
  const part = (from: number): string => Buffer.from(point.slice(from, from + 32)).toString('base64url');
  return createPrivateKey({ key: { kty: 'EC', crv, d: Buffer.from(privateKey, 'hex').toString('base64url'), x: part(1), y: part(33) }, format: 'jwk' });
}

export const spkiOf = (key: StandInKey): Buffer => createPublicKey(key.secret as KeyObject).export({ format: 'der', type: 'spki' });

/** ECDSA over a digest as it is, DER, as KMS gives it: another one each time, and s in either half. */
export function signDigest(key: StandInKey, digest: Buffer): Buffer {
  const { d = '' } = (key.secret as KeyObject).export({ format: 'jwk' });
  const curve = key.spec === 'ECC_NIST_P256' ? p256 : secp256k1;
  return Buffer.from(curve.sign(Uint8Array.from(digest), Uint8Array.from(Buffer.from(d, 'base64url')), { prehash: false, lowS: false, format: 'der', extraEntropy: true }));
}

const MARK = Buffer.from([1, 2, 2]);
const canonical = (arn: string, context: Readonly<Record<string, string>>): Buffer => Buffer.from(JSON.stringify([arn, Object.entries(context).sort(([a], [b]) => (a < b ? -1 : 1))]));

/** A blob that names its key and opens with the same context alone. */
export function wrap(key: StandInKey, plain: Buffer, context: Readonly<Record<string, string>>): Buffer {
  const nonce = randomBytes(12);
  const cipher = createCipheriv('aes-256-gcm', key.secret as Buffer, nonce);
  cipher.setAAD(canonical(key.arn, context));
  const body = Buffer.concat([cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
  return Buffer.concat([MARK, Buffer.from([key.arn.length]), Buffer.from(key.arn), nonce, body]);
}

/** The ARN that a blob names; null where it is none. */
export function arnIn(blob: Buffer): string | null {
  const length = blob[3] ?? 0;
  return blob.subarray(0, 3).equals(MARK) && blob.length >= 4 + length + 28 ? blob.subarray(4, 4 + length).toString() : null;
}

/** Null where it does not open: changed, or of another context. */
export function unwrap(key: StandInKey, blob: Buffer, context: Readonly<Record<string, string>>): Buffer | null {
  try {
    const at = 4 + key.arn.length;
    const decipher = createDecipheriv('aes-256-gcm', key.secret as Buffer, blob.subarray(at, at + 12), { authTagLength: 16 });
    decipher.setAAD(canonical(key.arn, context));
    decipher.setAuthTag(blob.subarray(-16));
    return Buffer.concat([decipher.update(blob.subarray(at + 12, -16)), decipher.final()]);
  } catch {
    return null;
  }
}

import { createECDH, generateKeyPairSync } from 'node:crypto';
// elliptic carries an unpatched advisory about its signing. It is used here for two things only, neither of which touches a secret
// nonce: deriving a public key, and checking our own signature before it is broadcast. Keys are made by node:crypto, signatures by
// @noble/curves.
import elliptic from 'elliptic';
import { z } from 'zod';
import { AppError } from '../errors.js';

export type SignatureAlgorithm = 'ECDSA_P256' | 'ECDSA_secp256k1';

export interface KeyPair {
  /** 32 bytes, hex. */
  readonly privateKey: string;
  /** x and y, 64 bytes, hex, without the leading 04: as the chain shows it. */
  readonly publicKey: string;
}

/** The weight of a key that signs alone. */
export const FULL_WEIGHT = 1_000;

const PrivateKey = z.string().regex(/^[0-9a-f]{64}$/i);

const CURVES: Record<SignatureAlgorithm, elliptic.ec> = {
  ECDSA_P256: new elliptic.ec('p256'),
  ECDSA_secp256k1: new elliptic.ec('secp256k1'),
};

/** A fresh ECDSA_P256 key pair from node:crypto. */
export function generateKeyPair(): KeyPair {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
  const { d, x, y } = privateKey.export({ format: 'jwk' });
  if (d === undefined || x === undefined || y === undefined) throw new AppError('internal', 'a generated key has no coordinates');
  const hex = (part: string): string => Buffer.from(part, 'base64url').toString('hex').padStart(64, '0');
  return { privateKey: hex(d), publicKey: hex(x) + hex(y) };
}

/** The public key (64 bytes, hex) of a private key (32 bytes, hex). Throws `data`, without the key, when it is not a key of that curve. */
export function publicKeyOf(privateKey: string, algorithm: SignatureAlgorithm = 'ECDSA_P256'): string {
  const curve = CURVES[algorithm];
  if (!isPrivateKey(privateKey, algorithm)) throw new AppError('data', `not a private key of ${algorithm}: 32 bytes as 64 hex digits are expected`);
  return curve.keyFromPrivate(privateKey, 'hex').getPublic(false, 'hex').slice(2);
}

/**
 * Whether the ECDSA_P256 public key (64 bytes, lower-case hex) is that of the private key (32 bytes, hex). By node:crypto, which takes
 * 0.06 ms where elliptic takes 1.2: a sweep asks this of every wallet. Never throws.
 */
export function isKeyOf(privateKey: string, publicKey: string): boolean {
  if (!isPrivateKey(privateKey, 'ECDSA_P256')) return false;
  const key = createECDH('prime256v1');
  key.setPrivateKey(privateKey, 'hex');
  return key.getPublicKey('hex').slice(2) === publicKey;
}

/** Whether the text is 32 bytes of hex, above zero and below the order of the curve. */
function isPrivateKey(privateKey: string, algorithm: SignatureAlgorithm): boolean {
  if (!PrivateKey.safeParse(privateKey).success) return false;
  const order = CURVES[algorithm].n;
  const value = BigInt(`0x${privateKey}`);
  return value > 0n && order != null && value < BigInt(`0x${order.toString(16)}`);
}

/** Whether a signature (r and s, 64 bytes, hex) over a digest is the public key's. Never throws. */
export function verifySignature(parts: { publicKey: string; digest: Uint8Array; signature: string; algorithm: SignatureAlgorithm }): boolean {
  if (!/^[0-9a-f]{128}$/i.test(parts.signature)) return false;
  try {
    const key = CURVES[parts.algorithm].keyFromPublic(`04${parts.publicKey}`, 'hex');
    return key.verify(parts.digest, { r: parts.signature.slice(0, 64), s: parts.signature.slice(64) });
  } catch {
    return false;
  }
}

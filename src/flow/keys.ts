import { createECDH, generateKeyPairSync } from 'node:crypto';
import { createRequire } from 'node:module';
// elliptic carries an unpatched advisory about its signing. It is used here for one thing only, which touches no secret: checking our
// own signature before it is broadcast. Keys are made and public keys derived by node:crypto, signatures made by @noble/curves.
import type elliptic from 'elliptic';
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

/** Each curve as node:crypto and elliptic name it, and the order of its base point (SEC 2, version 2.0). */
const CURVES: Record<SignatureAlgorithm, { readonly node: string; readonly elliptic: string; readonly order: bigint }> = {
  ECDSA_P256: { node: 'prime256v1', elliptic: 'p256', order: 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n },
  ECDSA_secp256k1: { node: 'secp256k1', elliptic: 'secp256k1', order: 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n },
};

const require = createRequire(import.meta.url);
const checkers = new Map<SignatureAlgorithm, elliptic.ec>();

/** Loaded with the first signature: a start waits 70 ms for it. */
function checkerOf(algorithm: SignatureAlgorithm): elliptic.ec {
  const known = checkers.get(algorithm);
  if (known !== undefined) return known;
  const { ec } = require('elliptic') as typeof elliptic;
  const checker = new ec(CURVES[algorithm].elliptic);
  checkers.set(algorithm, checker);
  return checker;
}

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
  if (!isPrivateKey(privateKey, algorithm)) throw new AppError('data', `not a private key of ${algorithm}: 32 bytes as 64 hex digits are expected`);
  return derive(privateKey, algorithm);
}

/** By node:crypto, which takes 0.06 ms where elliptic takes 1.2: a sweep derives every wallet's. */
function derive(privateKey: string, algorithm: SignatureAlgorithm): string {
  const key = createECDH(CURVES[algorithm].node);
  key.setPrivateKey(privateKey, 'hex');
  return key.getPublicKey('hex').slice(2);
}

/** Whether the ECDSA_P256 public key (64 bytes, lower-case hex) is that of the private key (32 bytes, hex). Never throws. */
export function isKeyOf(privateKey: string, publicKey: string): boolean {
  return isPrivateKey(privateKey, 'ECDSA_P256') && derive(privateKey, 'ECDSA_P256') === publicKey;
}

/** Whether the text is 32 bytes of hex, above zero and below the order of the curve. */
function isPrivateKey(privateKey: string, algorithm: SignatureAlgorithm): boolean {
  if (!PrivateKey.safeParse(privateKey).success) return false;
  const value = BigInt(`0x${privateKey}`);
  return value > 0n && value < CURVES[algorithm].order;
}

/** Whether a signature (r and s, 64 bytes, hex) over a digest is the public key's. Never throws. */
export function verifySignature(parts: { publicKey: string; digest: Uint8Array; signature: string; algorithm: SignatureAlgorithm }): boolean {
  if (!/^[0-9a-f]{128}$/i.test(parts.signature)) return false;
  try {
    const key = checkerOf(parts.algorithm).keyFromPublic(`04${parts.publicKey}`, 'hex');
    return key.verify(parts.digest, { r: parts.signature.slice(0, 64), s: parts.signature.slice(64) });
  } catch {
    return false;
  }
}

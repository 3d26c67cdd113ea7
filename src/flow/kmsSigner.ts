import { createPublicKey } from 'node:crypto';
import { AppError } from '../errors.js';
import { signatureFromDer } from '../kms/derSignature.js';
import type { Kms } from '../kms/kms.js';
import type { SignatureAlgorithm } from './keys.js';
import { digestOf, requireOwn, type HashAlgorithm, type Signer } from './sign.js';

export interface KmsSignerOptions {
  readonly kms: Pick<Kms, 'publicKey' | 'sign'>;
  readonly keyArn: string;
  readonly signatureAlgorithm: SignatureAlgorithm;
  readonly hashAlgorithm: HashAlgorithm;
  /** For errors: the funding account. */
  readonly where: string;
}

/** The curve of each algorithm, as KMS and as JWK name it. */
const CURVES: Record<SignatureAlgorithm, { readonly keySpec: string; readonly jwk: string }> = {
  ECDSA_P256: { keySpec: 'ECC_NIST_P256', jwk: 'P-256' },
  ECDSA_secp256k1: { keySpec: 'ECC_SECG_P256K1', jwk: 'secp256k1' },
};

/**
 * Signs with a key that never leaves AWS KMS. The public key is asked for once, and what KMS signs is checked with it before it is given out. Throws `usage`
 * where the key is of another curve or use, or KMS's error; `sign` throws KMS's error, and nothing is recorded or sent then.
 */
export async function createKmsSigner(options: KmsSignerOptions): Promise<Signer> {
  const { kms, keyArn, signatureAlgorithm, hashAlgorithm, where } = options;
  const { spki, keySpec, keyUsage } = await kms.publicKey(keyArn);
  const curve = CURVES[signatureAlgorithm];
  if (keyUsage !== 'SIGN_VERIFY' || keySpec !== curve.keySpec) {
    throw new AppError('usage', `its KMS key is ${keySpec} for ${keyUsage}, and ${signatureAlgorithm} needs ${curve.keySpec} for SIGN_VERIFY`, { where, mend: 'name a key of that kind, or correct signatureAlgorithm in flow.json' });
  }
  const publicKey = readPublicKey(spki, curve.jwk, where);

  async function sign(messageHex: string): Promise<string> {
    const digest = digestOf(messageHex, hashAlgorithm);
    return requireOwn(signatureFromDer(await kms.sign(keyArn, digest)), { publicKey, digest, algorithm: signatureAlgorithm });
  }

  return Object.freeze({ publicKey, signatureAlgorithm, hashAlgorithm, sign });
}

/** x and y, 64 bytes, hex, of a SubjectPublicKeyInfo. */
function readPublicKey(spki: Buffer, curve: string, where: string): string {
  try {
    const { crv, x, y } = createPublicKey({ key: spki, format: 'der', type: 'spki' }).export({ format: 'jwk' });
    const hex = (part: string): string => Buffer.from(part, 'base64url').toString('hex').padStart(64, '0');
    if (crv === curve && x !== undefined && y !== undefined) return hex(x) + hex(y);
  } catch {
    // Said below: what it is not is all that is known.
  }
  throw new AppError('data', 'AWS KMS gave a public key that is none of its curve', { where });
}

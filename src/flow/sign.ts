import { createHash } from 'node:crypto';
import { AppError } from '../errors.js';
import { publicKeyOf, verifySignature, type SignatureAlgorithm } from './keys.js';

export type HashAlgorithm = 'SHA3_256' | 'SHA2_256';

export interface SignerOptions {
  /** 32 bytes, hex. */
  readonly privateKey: string;
  readonly signatureAlgorithm: SignatureAlgorithm;
  readonly hashAlgorithm: HashAlgorithm;
}

/** Signs with a key that cannot be reached from the outside: not by JSON, not by inspection, only by signing. */
export interface Signer {
  /** 64 bytes, hex, without 04. */
  readonly publicKey: string;
  readonly signatureAlgorithm: SignatureAlgorithm;
  readonly hashAlgorithm: HashAlgorithm;
  /** Signs a message (hex, domain tag included); gives r and s, 64 bytes, hex. */
  sign(messageHex: string): Promise<string>;
}

/** Loaded with the first signature: 60 ms that no start waits for. */
const CURVES = {
  ECDSA_P256: async () => (await import('@noble/curves/nist.js')).p256,
  ECDSA_secp256k1: async () => (await import('@noble/curves/secp256k1.js')).secp256k1,
};
const HASHES = { SHA3_256: 'sha3-256', SHA2_256: 'sha256' };

/**
 * Makes a signer. Signatures are deterministic (RFC 6979) and checked with another implementation before they are given out: a
 * faulty signature would be accepted by the access node and fail only when executed. Throws `data` when the key is none of the curve.
 */
export function createSigner(options: SignerOptions): Signer {
  const { privateKey, signatureAlgorithm, hashAlgorithm } = options;
  const publicKey = publicKeyOf(privateKey, signatureAlgorithm);
  const secret = Uint8Array.from(Buffer.from(privateKey, 'hex'));

  async function sign(messageHex: string): Promise<string> {
    const digest = digestOf(messageHex, hashAlgorithm);
    const curve = await CURVES[signatureAlgorithm]();
    const signature = Buffer.from(curve.sign(Uint8Array.from(digest), secret, { prehash: false })).toString('hex');
    return requireOwn(signature, { publicKey, digest, algorithm: signatureAlgorithm });
  }

  return Object.freeze({ publicKey, signatureAlgorithm, hashAlgorithm, sign });
}

/** The digest, 32 bytes, that is signed of a message (hex). */
export function digestOf(messageHex: string, hashAlgorithm: HashAlgorithm): Buffer {
  if (!/^(?:[0-9a-f]{2})+$/i.test(messageHex)) throw new AppError('internal', 'a message to sign is hex and not empty');
  return createHash(HASHES[hashAlgorithm]).update(Buffer.from(messageHex, 'hex')).digest();
}

/** The signature (r and s, hex), once it is shown to be the public key's. */
export function requireOwn(signature: string, of: { readonly publicKey: string; readonly digest: Buffer; readonly algorithm: SignatureAlgorithm }): string {
  if (!verifySignature({ ...of, signature })) throw new AppError('internal', 'a signature did not verify and was not used');
  return signature;
}

import pLimit from 'p-limit';
import type * as Sdk from '@aws-sdk/client-kms';
import { withDeadline } from '../deadline.js';
import { AppError } from '../errors.js';
import { isLoopback } from '../loopback.js';
import { toKmsError } from './errors.js';

/** Bound to a ciphertext: it opens with the same words alone, and a policy can ask for them. */
export type EncryptionContext = Readonly<Record<string, string>>;

export interface KmsPublicKey {
  /** SubjectPublicKeyInfo, DER. */
  readonly spki: Buffer;
  /** KMS's names: ECC_NIST_P256, ECC_SECG_P256K1 … and SIGN_VERIFY … */
  readonly keySpec: string;
  readonly keyUsage: string;
}

/** What is asked of AWS KMS in one region. Each call throws `usage`, `rate-limit` or `network`, with `where` as the caller named it. */
export interface Kms {
  /** 32 random bytes, wrapped by the key and never shown. Gives the wrapping key's ARN too, whatever it was named by. */
  wrapNewKey(keyArn: string, context: EncryptionContext): Promise<{ keyArn: string; wrapped: Buffer }>;
  /** `keyArn`: the only key that may have wrapped it; null where that is not known. */
  unwrap(wrapped: Buffer, context: EncryptionContext, keyArn: string | null): Promise<Buffer>;
  publicKey(keyArn: string): Promise<KmsPublicKey>;
  /** The signature (DER) of a digest of 32 bytes. */
  sign(keyArn: string, digest: Buffer): Promise<Buffer>;
}

export interface KmsOptions {
  /** Null: the one that AWS's own chain finds (AWS_REGION, ~/.aws/config). */
  readonly region: string | null;
  /** For errors: the setting or account that it is asked for. */
  readonly where: string;
  /** For a call with its repetitions, in milliseconds. Default 8,000: a slot's lease is 15 s. */
  readonly callMs?: number;
  /** For each attempt, in milliseconds. Default 2,500. */
  readonly attemptMs?: number;
}

const PACKAGE = '@aws-sdk/client-kms';
/** Beside package.json: test/kms compares them. */
export const PACKAGE_VERSION = '3.1164.0';
const ATTEMPTS = 3;
/** Signatures that this process asks for at a time, for all its funders: they share the account's quota. */
const oneOfFew = pLimit(8);

/**
 * AWS's own client, loaded only here, where it is wanted: it is optional, 18 MB and a quarter of a second. Region, credentials and endpoint (AWS_ENDPOINT_URL_KMS)
 * are found by AWS's own chain. Throws `usage` where the package is not installed.
 */
export async function openKms(options: KmsOptions): Promise<Kms> {
  const { where, callMs = 8_000, attemptMs = 2_500 } = options;
  const sdk = await load(where);
  const client = new sdk.KMSClient({
    ...(options.region === null ? {} : { region: options.region }),
    maxAttempts: ATTEMPTS,
    requestHandler: { connectionTimeout: attemptMs, requestTimeout: attemptMs, throwOnRequestTimeout: true },
  });
  refuseClearText(client, where);

  /** The deadline holds for the search for credentials too, which the client's own signal does not reach. */
  async function call<T>(send: (signal: AbortSignal) => Promise<T>): Promise<T> {
    try {
      return await withDeadline(callMs, new AbortController().signal, send);
    } catch (thrown) {
      throw toKmsError(thrown, where);
    }
  }
  const present = <T>(value: T | undefined): T => {
    if (value === undefined) throw new AppError('data', 'AWS KMS left out what was asked for', { where });
    return value;
  };

  return {
    async wrapNewKey(keyArn, context) {
      const answer = await call((abortSignal) => client.send(new sdk.GenerateDataKeyWithoutPlaintextCommand({ KeyId: keyArn, KeySpec: 'AES_256', EncryptionContext: { ...context } }), { abortSignal }));
      return { keyArn: present(answer.KeyId), wrapped: Buffer.from(present(answer.CiphertextBlob)) };
    },
    async unwrap(wrapped, context, keyArn) {
      const answer = await call((abortSignal) => client.send(new sdk.DecryptCommand({ CiphertextBlob: wrapped, EncryptionContext: { ...context }, ...(keyArn === null ? {} : { KeyId: keyArn }) }), { abortSignal }));
      return Buffer.from(present(answer.Plaintext));
    },
    async publicKey(keyArn) {
      const answer = await call((abortSignal) => client.send(new sdk.GetPublicKeyCommand({ KeyId: keyArn }), { abortSignal }));
      return { spki: Buffer.from(present(answer.PublicKey)), keySpec: present(answer.KeySpec), keyUsage: present(answer.KeyUsage) };
    },
    sign: (keyArn, digest) =>
      oneOfFew(async () => {
        // The digest is signed as it is: KMS names the algorithm after a hash, but with DIGEST it checks the length alone, so SHA3-256 goes too.
        const answer = await call((abortSignal) => client.send(new sdk.SignCommand({ KeyId: keyArn, Message: digest, MessageType: 'DIGEST', SigningAlgorithm: 'ECDSA_SHA_256' }), { abortSignal }));
        return Buffer.from(present(answer.Signature));
      }),
  };
}

async function load(where: string): Promise<typeof Sdk> {
  // On Node 20 it warns on standard error, among the commands' own words, that versions to come need Node 22; the one that is pinned here runs on 20.
  process.env['AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED'] ??= 'true';
  try {
    return await import('@aws-sdk/client-kms');
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code !== 'ERR_MODULE_NOT_FOUND') throw thrown;
    throw new AppError('usage', `AWS KMS is named, but AWS's client is not installed`, { where, mend: `npm install --no-save ${PACKAGE}@${PACKAGE_VERSION}` });
  }
}

/** The master key is in the answer: over a wire it goes encrypted. */
function refuseClearText(client: Sdk.KMSClient, where: string): void {
  client.middlewareStack.add(
    (next) => (args) => {
      const { protocol, hostname } = args.request as { protocol?: string; hostname?: string };
      if (protocol !== 'https:' && !isLoopback(hostname ?? '')) throw new AppError('usage', `AWS KMS's endpoint is not encrypted (${protocol ?? ''}//${hostname ?? ''})`, { where, mend: 'give AWS_ENDPOINT_URL_KMS with https:// (http:// only to this machine itself)' });
      return next(args);
    },
    { step: 'finalizeRequest', name: 'refuseClearText', priority: 'high' },
  );
}

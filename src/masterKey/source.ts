import { isAbsolute } from 'node:path';
import { AppError } from '../errors.js';
import { fingerprint } from '../fingerprint.js';
import { ARN_EXAMPLE, regionOfArn } from '../kms/arn.js';
import type { SecretFileTrust } from '../secretFile.js';
import { keyFromText } from './keyText.js';

/**
 * Where a master key comes from: the setting, parsed. It is a handle: what it stands for is kept beside it, out of reach of JSON, of inspection and of errors;
 * only {@link openMasterKey} makes the key of it.
 */
export interface MasterKeySource {
  /** `value`: the key itself. `file`: a file of its own. `mounted`: a secret that a container's runtime mounted. `aws-kms`: wrapped by AWS KMS. */
  readonly kind: MasterKeyContent['kind'];
}

export type MasterKeyContent =
  | { readonly kind: 'value'; readonly key: Buffer }
  | { readonly kind: 'file' | 'mounted'; readonly path: string; readonly trust: SecretFileTrust }
  | {
      readonly kind: 'aws-kms';
      readonly wrapped: Buffer;
      /** The key that wrapped it; null where the setting doesn't say. */
      readonly keyArn: string | null;
    };

const contents = new WeakMap<MasterKeySource, { readonly content: MasterKeyContent; readonly text: string }>();

/** What a wrapped key of 32 bytes has at least and at most; KMS's own limit is 6,144. */
const [MIN_WRAPPED, MAX_WRAPPED] = [60, 6_144];
const FORMS = 'must be 32 bytes in hex (64 digits) or base64, file:PATH, mounted:PATH or aws-kms:…; make one with `wallet-sync keys generate`';

/** Reads the setting's text. Throws `usage` with what is wrong, never with the text: whatever was mistaken for one may be a key. */
export function parseMasterKeySource(text: string): MasterKeySource {
  const content = read(text);
  const source = Object.freeze({ kind: content.kind });
  // The key in hex and in base64 is the same key.
  contents.set(source, { content, text });
  return source;
}

function read(text: string): MasterKeyContent {
  const key = keyFromText(text);
  if (key !== null) return { kind: 'value', key };
  const [, scheme, rest = ''] = /^(file|mounted|aws-kms):(.*)$/s.exec(text) ?? [];
  if (scheme === undefined) throw new AppError('usage', FORMS);
  if (scheme === 'aws-kms') return readWrapped(rest);
  if (keyFromText(rest) !== null) throw new AppError('usage', `holds a key where ${scheme}: wants the path of a file that holds it`);
  if (!isAbsolute(rest)) throw new AppError('usage', `must name a file by its whole path: ${scheme}:/etc/wallet-sync/master.key`);
  return { kind: scheme as 'file' | 'mounted', path: rest, trust: scheme === 'file' ? 'own' : 'mounted' };
}

/** `aws-kms:BASE64`, or `aws-kms:ARN:BASE64`: no base64 has a colon. */
function readWrapped(rest: string): MasterKeyContent {
  const at = rest.lastIndexOf(':');
  const [keyArn, base64] = at < 0 ? [null, rest] : [rest.slice(0, at), rest.slice(at + 1)];
  const wrapped = Buffer.from(base64, 'base64');
  if (wrapped.toString('base64') !== base64 || wrapped.length < MIN_WRAPPED || wrapped.length > MAX_WRAPPED) throw new AppError('usage', 'must be aws-kms: and a wrapped key in base64, as `wallet-sync keys generate --kms KEY_ARN` prints it');
  if (keyArn !== null && regionOfArn(keyArn) === null) throw new AppError('usage', `must name its KMS key as ${ARN_EXAMPLE}`);
  return { kind: 'aws-kms', wrapped, keyArn };
}

/** What it stands for. Throws `internal` where it is a copy: a handle is handed on as it is. */
export function contentOf(source: MasterKeySource): MasterKeyContent {
  const known = contents.get(source);
  if (known === undefined) throw new AppError('internal', 'this is no master key source');
  return known.content;
}

export const isMasterKeySource = (value: unknown): value is MasterKeySource => typeof value === 'object' && value !== null && contents.has(value as MasterKeySource);

/** How a record names it: by the fingerprint of the key or, with its kind, of what names the key. Tells whether it is still the same one, and nothing else. */
export function describeMasterKeySource(source: MasterKeySource, setting: string): string {
  const known = contents.get(source);
  if (known === undefined) throw new AppError('internal', 'this is no master key source');
  return known.content.kind === 'value' ? fingerprint(setting, known.content.key) : `${source.kind} ${fingerprint(setting, known.text)}`;
}

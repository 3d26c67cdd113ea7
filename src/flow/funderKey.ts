import { isAbsolute, join } from 'node:path';
import { AppError } from '../errors.js';
import { ARN_EXAMPLE, regionOfArn } from '../kms/arn.js';
import type { Kms } from '../kms/kms.js';
import { readSecretFile } from '../secretFile.js';
import type { FlowKey } from './flowJson.js';
import { createKmsSigner } from './kmsSigner.js';
import { createSigner, type Signer } from './sign.js';

export interface FunderKeyOptions {
  readonly name: string;
  /** For errors: file and account. */
  readonly where: string;
  /** flow.json's folder: locations are relative to it. */
  readonly folder: string;
  readonly key: FlowKey;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** The variable that can hold a funder's key in place of what flow.json names: FUNDER_KEY_FUNDER_1 for funder-1. */
export function funderKeyVariable(name: string): string {
  return `FUNDER_KEY_${name.toUpperCase().replace(/[^A-Z0-9]+/g, '_')}`;
}

/** Where a funder's key is, and who says so. */
type Place =
  | { readonly kind: 'key'; readonly privateKey: string; readonly where: string }
  | { readonly kind: 'aws-kms'; readonly keyArn: string; readonly where: string };

/**
 * A funder's signer. FUNDER_KEY_<NAME> goes before flow.json: the key in hex, `file:PATH`, `mounted:PATH` or `aws-kms:ARN`; flow.json names a file or a KMS key.
 * Throws `usage`, without the key, when there is none to trust, and KMS's error where that is asked in vain.
 */
export async function openFunderKey(options: FunderKeyOptions): Promise<Signer> {
  const { key } = options;
  const algorithms = { signatureAlgorithm: key.signatureAlgorithm, hashAlgorithm: key.hashAlgorithm };
  const place = findPlace(options);
  if (place.kind === 'aws-kms') return createKmsSigner({ kms: await openKms(place), keyArn: place.keyArn, where: place.where, ...algorithms });
  try {
    const bare = place.privateKey.trim().replace(/^0x/i, '').toLowerCase();
    return createSigner({ privateKey: bare, ...algorithms });
  } catch (cause) {
    if (!(cause instanceof AppError)) throw cause;
    throw new AppError('usage', cause.message, { where: place.where, mend: `give ${options.where} a key of ${key.signatureAlgorithm} in hex` });
  }
}

function findPlace({ name, where, folder, key, env }: FunderKeyOptions): Place {
  const variable = funderKeyVariable(name);
  const text = env[variable]?.trim() ?? '';
  if (text !== '') return readVariable(text, variable);
  if (key.type === 'aws-kms') return { kind: 'aws-kms', keyArn: key.resourceID, where };
  const path = isAbsolute(key.location) ? key.location : join(folder, key.location);
  return { kind: 'key', privateKey: readSecretFile(path, 'own'), where: path };
}

function readVariable(text: string, variable: string): Place {
  const [, scheme, rest = ''] = /^(file|mounted|aws-kms):(.*)$/s.exec(text) ?? [];
  if (scheme === undefined) return { kind: 'key', privateKey: text, where: variable };
  if (scheme === 'aws-kms') {
    if (regionOfArn(rest) === null) throw new AppError('usage', `must name its KMS key as aws-kms:${ARN_EXAMPLE}`, { where: variable });
    return { kind: 'aws-kms', keyArn: rest, where: variable };
  }
  if (!isAbsolute(rest)) throw new AppError('usage', `must name a file by its whole path: ${scheme}:/etc/wallet-sync/funder.key`, { where: variable });
  return { kind: 'key', privateKey: readSecretFile(rest, scheme === 'file' ? 'own' : 'mounted'), where: variable };
}

/** Loaded where it is named: nobody else has the package. */
async function openKms(place: { readonly keyArn: string; readonly where: string }): Promise<Kms> {
  return (await import('../kms/kms.js')).openKms({ region: regionOfArn(place.keyArn), where: place.where });
}

import { isAbsolute, join } from 'node:path';
import { AppError } from '../errors.js';
import { readSmallFile } from '../limits/readSmallFile.js';
import type { FlowKey } from './flowJson.js';
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

/** The variable that can hold a funder's key in place of its file: FUNDER_KEY_FUNDER_1 for funder-1. */
export function funderKeyVariable(name: string): string {
  return `FUNDER_KEY_${name.toUpperCase().replace(/[^A-Z0-9]+/g, '_')}`;
}

/** A funder's signer, its key from the environment or from a file of mode 0600. Throws `usage`, without the key, when there is none to trust. */
export function loadFunderKey(options: FunderKeyOptions): Signer {
  const { key, where } = options;
  const variable = funderKeyVariable(options.name);
  const fromEnv = options.env[variable];
  const path = isAbsolute(key.location) ? key.location : join(options.folder, key.location);
  const privateKey = fromEnv === undefined || fromEnv === '' ? readKeyFile(path, variable) : fromEnv;
  try {
    const bare = privateKey.trim().replace(/^0x/i, '').toLowerCase();
    return createSigner({ privateKey: bare, signatureAlgorithm: key.signatureAlgorithm, hashAlgorithm: key.hashAlgorithm });
  } catch (cause) {
    if (!(cause instanceof AppError)) throw cause;
    throw new AppError('usage', cause.message, { where: fromEnv === undefined || fromEnv === '' ? path : variable, mend: `give ${where} a key of ${key.signatureAlgorithm} in hex` });
  }
}

/** A key in hex has 64 characters, and may stand between blanks. */
const MAX_KEY_BYTES = 4_096;

function readKeyFile(path: string, variable: string): string {
  try {
    // Looked at through the open file, so that it cannot be swapped in between. Windows has no such modes.
    return readSmallFile(path, MAX_KEY_BYTES, (stat) => {
      const mode = stat.mode & 0o777;
      if (process.platform !== 'win32' && (mode & 0o077) !== 0) {
        throw new AppError('usage', `the key file can be read by others (mode ${mode.toString(8).padStart(4, '0')})`, { where: path, mend: `chmod 600 ${path}` });
      }
    });
  } catch (thrown) {
    if (thrown instanceof AppError) throw thrown;
    throw new AppError('usage', 'the key file cannot be read', { where: path, mend: `put the key there with mode 0600, or set ${variable}` });
  }
}

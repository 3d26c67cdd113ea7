import { randomBytes } from 'node:crypto';
import { readEnvironment } from '../../environment.js';
import { masterKeyId } from '../../secrets.js';
import { print } from '../output.js';

/** `wallet-sync keys generate`: a new master key, on standard output alone. With `kms`, one that AWS KMS has made and wrapped, whose id shows only once it is opened. */
export async function runKeysGenerate(options: { kms: string | undefined; json: boolean }): Promise<void> {
  const { key, id } = options.kms === undefined ? generate() : { key: await generateInKms(options.kms), id: null };
  print(options.json, { WALLET_ENCRYPTION_KEY: key, ...(id === null ? {} : { id }) }, key);
  if (process.stdout.isTTY) process.stderr.write(`${id === null ? '' : `Its id is ${id}. `}Keep a copy in a safe place: without it${id === null ? ', and without the KMS key,' : ''} no stored key can be opened.\n`);
}

function generate(): { key: string; id: string } {
  const bytes = randomBytes(32);
  return { key: bytes.toString('base64'), id: masterKeyId(bytes) };
}

async function generateInKms(keyArn: string): Promise<string> {
  // AWS's client looks for its settings in the process's environment, which .env completes.
  readEnvironment();
  return (await import('../../masterKey/kmsMasterKey.js')).generateKmsMasterKey(keyArn, '--kms');
}

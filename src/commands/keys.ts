import { randomBytes } from 'node:crypto';
import { readEnvironment } from '../environment.js';
import { print } from './output.js';

/** `wallet-sync keys generate`: a new master key, on standard output alone. With `kms`, one that AWS KMS has made and wrapped. */
export async function runKeysGenerate(options: { kms: string | undefined; json: boolean }): Promise<void> {
  const key = options.kms === undefined ? randomBytes(32).toString('base64') : await generateInKms(options.kms);
  print(options.json, { WALLET_ENCRYPTION_KEY: key }, key);
  if (process.stdout.isTTY) process.stderr.write(`Keep a copy in a safe place: without it${options.kms === undefined ? '' : ', and without the KMS key,'} no stored key can be opened.\n`);
}

async function generateInKms(keyArn: string): Promise<string> {
  // AWS's client looks for its settings in the process's environment, which .env completes.
  readEnvironment();
  return (await import('../masterKey/kmsMasterKey.js')).generateKmsMasterKey(keyArn, '--kms');
}

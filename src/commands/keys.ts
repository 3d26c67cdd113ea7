import { randomBytes } from 'node:crypto';
import { masterKeyId } from '../secrets.js';
import { print } from './output.js';

/** `wallet-sync keys generate`: a new master key, on standard output alone. */
export function runKeysGenerate(options: { json: boolean }): void {
  const bytes = randomBytes(32);
  const key = bytes.toString('base64');
  const id = masterKeyId(bytes);
  print(options.json, { WALLET_ENCRYPTION_KEY: key, id }, key);
  if (process.stdout.isTTY) process.stderr.write(`Its id is ${id}. Keep a copy in a safe place: without it no stored key can be opened.\n`);
}

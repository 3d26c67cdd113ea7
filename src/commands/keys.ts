import { randomBytes } from 'node:crypto';
import { print } from './output.js';

/** `wallet-sync keys generate`: a new master key, on standard output alone. */
export function runKeysGenerate(options: { json: boolean }): void {
  const key = randomBytes(32).toString('base64');
  print(options.json, { WALLET_ENCRYPTION_KEY: key }, key);
  if (process.stdout.isTTY) process.stderr.write('Keep a copy in a safe place: without it no stored key can be opened.\n');
}

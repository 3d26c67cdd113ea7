import { text } from 'node:stream/consumers';
import { AppError } from '../../errors.js';
import { isKeyOf } from '../../flow/keys.js';
import { openEnvelope } from '../../handover/envelope.js';
import { readReceiverPrivateKey } from '../../handover/receiverKey.js';
import { readSecretFile } from '../../secretFile.js';
import { print } from '../output.js';
import { readGivenFile } from './givenFile.js';

/** `wallet-sync keys open [FILE] --key FILE`: the private key in an envelope that was encrypted to this receiver. */
export async function runKeysOpen(file: string | undefined, options: { key: string; json: boolean }): Promise<void> {
  const receiver = readReceiverPrivateKey(readSecretFile(options.key, 'own', '--key'), '--key');
  const isStdin = file === undefined || file === '-';
  const where = isStdin ? 'standard input' : file;
  const envelope = isStdin ? await text(process.stdin) : readGivenFile(file, { where, mend: 'name the file as it was received' });
  const { user, address, publicKey, privateKey } = await openEnvelope(envelope, receiver, where);
  if (!isKeyOf(privateKey, publicKey)) throw new AppError('data', 'holds a private key that is not that of its public key', { where, mend: 'do not use it; ask its sender' });
  process.stderr.write(`Private key of ${address} (user ${user}) on standard output. Before you rely on it, compare the account's keys on chain with\n${publicKey}\n`);
  print(options.json, { user, address, public_key: publicKey, private_key: privateKey }, privateKey);
}

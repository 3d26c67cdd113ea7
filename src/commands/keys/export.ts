import { z } from 'zod';
import { readEnvironment } from '../../environment.js';
import { AppError } from '../../errors.js';
import { giveKey, requireGivable, type GivableKey, type GivenKey } from '../../handlers/giveKey.js';
import { readReceiverKey, type ReceiverKey } from '../../handover/receiverKey.js';
import { checkSchema } from '../../journal/migrate.js';
import { findKey, type WalletName } from '../../journal/storedKeys.js';
import { operator } from '../operator.js';
import { print } from '../output.js';
import { ask, isTerminal } from '../terminal.js';
import { withJournal } from '../withJournal.js';
import { readGivenFile } from './givenFile.js';
import { openUserVault } from './userVault.js';

export interface KeysExportOptions {
  readonly to: string | undefined;
  readonly yes: boolean;
  readonly json: boolean;
}

/** `wallet-sync keys export ID [--to PUBKEY]`: one user's private key, on standard output alone, after asking and after the audit log says so. */
export async function runKeysExport(id: string, options: KeysExportOptions): Promise<void> {
  const { to, yes, json } = options;
  const name = readName(id);
  const receiver = to === undefined ? null : readReceiver(to);
  if (!yes && !isTerminal()) throw new AppError('usage', 'a key is given out only where somebody at a terminal confirms it', { where: 'keys export', mend: 'run it on a terminal, or give --yes' });
  const vaultOf = await openUserVault(readEnvironment());
  const given = await withJournal(async (journal) => {
    await checkSchema(journal);
    const vault = await vaultOf(journal);
    const found = await findKey(journal, name);
    if (found === null) throw new AppError('data', 'nobody has this wallet', { where: id, mend: "give a user's id, or the number or address of his account, as `wallet-sync reconcile --dry-run` and status show them" });
    const key = requireGivable(found, id);
    if (!yes) await confirm(key, receiver);
    return giveKey({ journal, vault }, key, { receiver, by: operator() });
  });
  say(given, json);
}

function readName(id: string): WalletName {
  if (z.guid().safeParse(id).success) return { authId: id.toLowerCase() };
  if (/^0x[0-9a-f]{16}$/i.test(id)) return { address: id.toLowerCase() };
  if (/^\d{1,15}$/.test(id)) return { accountId: Number(id) };
  // It is not repeated: it may be a key.
  throw new AppError('usage', "is neither a user's id (uuid), nor an account's number, nor an address (0x and 16 digits)", { where: 'ID' });
}

/** A key's bytes are no path that there is; a path is neither base64 of a key's length nor hex. */
function readReceiver(to: string): ReceiverKey {
  const isBytes = /^[0-9a-f]{64,}$/i.test(to) || (/^[A-Za-z0-9+/_-]{43,}={0,2}$/.test(to) && !to.startsWith('/'));
  return readReceiverKey(isBytes || to.includes('-----BEGIN') ? to : readGivenFile(to, { where: '--to', mend: 'give the public key itself, in base64 or hex, or the path of its PEM file' }), '--to');
}

async function confirm({ authId, address }: GivableKey, receiver: ReceiverKey | null): Promise<void> {
  const how = receiver === null ? 'in plain text' : `encrypted to the ${receiver.form} key ${receiver.fingerprint.slice(0, 16)}…`;
  const start = authId.slice(0, 8);
  const answer = await ask(`This gives out the private key of user ${authId} (${address}), ${how}.\nWho has it can spend all that the wallet has. Type ${start} to go on: `);
  if (answer !== start) throw new AppError('data', 'not confirmed: no key was given out', { where: authId });
}

function say(given: GivenKey, json: boolean): void {
  if ('envelope' in given) {
    const { envelope } = given;
    // An envelope is JSON in any case; as lines it can be looked at.
    print(json, envelope, JSON.stringify(envelope, null, 2));
    if (!json) process.stderr.write(`The receiver opens it with: wallet-sync keys open FILE --key receiver.pem\nHis key's fingerprint, for him to compare: ${envelope.receiver}\n`);
    return;
  }
  const { user, address, publicKey, privateKey } = given.key;
  process.stderr.write(`Plain private key of ${address} (user ${user}) on standard output: keep it out of logs, chats and shell history; --to encrypts it to its receiver.\n`);
  print(json, { user, address, public_key: publicKey, private_key: privateKey }, privateKey);
}

import { AppError } from '../errors.js';
import { isKeyOf } from '../flow/keys.js';
import { sealEnvelope, type Envelope, type HandedKey } from '../handover/envelope.js';
import type { ReceiverKey } from '../handover/receiverKey.js';
import { nameActor, writeOperatorActs } from '../journal/audit.js';
import type { NamedKey } from '../journal/storedKeys.js';
import type { Instance } from './instance.js';

/** A key that can be given: a user's, with its address. */
export interface GivableKey {
  readonly authId: string;
  readonly address: string;
  readonly publicKey: string;
  /** Encrypted. */
  readonly privateKey: string;
}

/** The wallet as one that can be given. Throws `data` where it is nobody's yet, or not whole: a free account is given to a user later, and then two would have its key. */
export function requireGivable(key: NamedKey, where: string): GivableKey {
  const { authId, address, publicKey, privateKey, state, accountId } = key;
  if (authId === null) throw new AppError('data', accountId === null ? 'its row in public.wallet names no user' : `account ${accountId} is ${state ?? 'unknown'} and belongs to no user`, { where, mend: "name a user's id, or the account or address of a wallet that a user has" });
  const isWhole = /^0x[0-9a-f]{16}$/.test(address ?? '') && /^[0-9a-f]{128}$/.test(publicKey ?? '');
  if (!isWhole || address === null || publicKey === null || privateKey === null) throw new AppError('data', 'its row lacks the address or a key, or has another form of them', { where, mend: 'wallet-sync status --corrupted' });
  return { authId, address, publicKey, privateKey };
}

/** A key as it leaves the service: plain, or encrypted to a receiver. */
export type GivenKey = { readonly key: HandedKey } | { readonly envelope: Envelope };

/**
 * Opens a user's key to give it away. The audit log says who it was given to and by whom, before it is given: where the entry cannot be
 * written this throws the journal's error, and no key comes out. Throws `data` where it does not open or is not that of its public key.
 */
export async function giveKey(instance: Pick<Instance, 'journal' | 'vault'>, stored: GivableKey, options: { readonly receiver: ReceiverKey | null; readonly by: string }): Promise<GivenKey> {
  const { receiver, by } = options;
  const { authId, address, publicKey } = stored;
  const opener = await instance.vault.openFor({ why: 'to export it', authIds: [authId], detail: { by } });
  const privateKey = opener.open(stored.privateKey, publicKey);
  if (!isKeyOf(privateKey, publicKey)) throw new AppError('data', "its public key does not belong to its private key: it would not sign for this wallet", { where: 'wallet_sync.account', mend: 'wallet-sync keys verify --user ID' });
  const key: HandedKey = { user: authId, address, publicKey, privateKey };
  const given: GivenKey = receiver === null ? { key } : { envelope: await sealEnvelope(key, receiver) };
  await instance.journal.transaction(async (db) => {
    await nameActor(db, by);
    await writeOperatorActs(db, [{ kind: 'key-exported', authId, detail: { flow_address: address, ...(receiver === null ? { to: 'operator' } : { to: 'hpke', receiver: receiver.fingerprint }) } }]);
  });
  return given;
}

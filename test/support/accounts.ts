import type { Journal } from '../../src/journal/pool.js';
import { hex } from './database.js';

/** Puts `count` accounts of fresh keys into the pool and returns their addresses, in the order in which they will be given. */
export async function fillPool(journal: Journal, count: number): Promise<string[]> {
  const accounts = Array.from({ length: count }, () => ({ publicKey: hex(64), address: `0x${hex(8)}` }));
  await journal.query(
    `insert into wallet_sync.account (state, public_key, private_key, address, free_at)
     select 'free', k.public_key, 'v1.key.' || k.public_key, k.address, clock_timestamp()
     from unnest($1::text[], $2::text[]) with ordinality as k (public_key, address, place) order by k.place`,
    [accounts.map((account) => account.publicKey), accounts.map((account) => account.address)],
  );
  return accounts.map((account) => account.address);
}

/** Fresh key pairs, as `prepareAccounts` asks for them. */
export const makeKeys = (count: number): Promise<{ publicKey: string; encryptedPrivateKey: string }[]> =>
  Promise.resolve(Array.from({ length: count }, () => ({ publicKey: hex(64), encryptedPrivateKey: 'v1.key.secret' })));

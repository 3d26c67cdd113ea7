import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { authIdOf } from './benchUser.js';

interface Entry {
  readonly address?: unknown;
  readonly key?: { readonly location?: unknown };
}

/**
 * Counts the users whose entry in flow-production.json is missing or wrong; those in `gone` may be there or not. The file is read whole, as the
 * Flow CLI does: a million entries are some 300 MB of text, 1.6 million more than JavaScript can hold. Throws where it is no JSON.
 */
export async function countBadEntries(folder: string, addresses: BigUint64Array, gone: ReadonlySet<number>): Promise<number> {
  const { accounts } = JSON.parse(await readFile(join(folder, 'flow-production.json'), 'utf8')) as { accounts: Readonly<Record<string, Entry>> };
  let bad = 0;
  for (const [user, address] of addresses.entries()) {
    if (gone.has(user)) continue;
    const authId = authIdOf(user);
    const entry = Object.hasOwn(accounts, authId) ? accounts[authId] : undefined;
    if (entry?.address !== `0x${address.toString(16).padStart(16, '0')}` || entry.key?.location !== `accounts/pkeys/${authId}.pkey`) bad += 1;
  }
  return bad;
}

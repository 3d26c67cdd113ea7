import { z } from 'zod';
import { AppError, toAppError } from '../errors.js';
import type { AccessNode } from './accessNode.js';
import { addressArg, arrayArg, stringArg } from './args.js';
import type { Cadence } from './cadence.js';
import type { WalletToCheck } from './checkWallets.js';
import { parseShape } from './shape.js';

/** What the chain knows of an address and a public key. */
export type KeyOnChain =
  /** There is no account at the address. */
  | 'no account'
  /** Its account has not that key. */
  | 'other keys'
  /** It has the key, which is revoked, has not full weight, or signs in another way than ECDSA_P256 with SHA3_256. */
  | 'cannot sign'
  | 'signs';

/** Addresses one script asks for. Each costs a few reads, a tenth of a whole check. */
const MOST = 250;

/**
 * Asks the chain whether each address has an account, and whether that public key signs for it alone. In the order of the question. A list that
 * takes too much computation is halved. Throws the access node's AppError.
 */
export async function checkKeys(options: { readonly accessNode: Pick<AccessNode, 'script'>; readonly cadence: Cadence; readonly wallets: readonly WalletToCheck[]; readonly priority?: number }): Promise<KeyOnChain[]> {
  const { accessNode, cadence, wallets, priority } = options;
  const found: KeyOnChain[] = [];
  const ask = async (some: readonly WalletToCheck[]): Promise<void> => {
    try {
      const answer = await accessNode.script(
        cadence.script('checkKeys'),
        [arrayArg(some.map((wallet) => addressArg(wallet.address))), arrayArg(some.map((wallet) => stringArg(wallet.publicKey)))],
        priority === undefined ? {} : { priority },
      );
      const flags = parseShape(z.string().regex(/^([0-9a-f]{2})*$/), answer, 'checkKeys.cdc');
      if (flags.length !== some.length * 2) throw new AppError('data', `asked for ${some.length} keys, the script answered ${flags.length / 2}`, { where: 'checkKeys.cdc' });
      for (const flag of Buffer.from(flags, 'hex')) found.push(meaningOf(flag));
    } catch (thrown) {
      const error = toAppError(thrown);
      if (error.kind !== 'computation' || some.length === 1) throw error;
      const half = Math.ceil(some.length / 2);
      await ask(some.slice(0, half));
      await ask(some.slice(half));
    }
  };
  for (let from = 0; from < wallets.length; from += MOST) await ask(wallets.slice(from, from + MOST));
  return found;
}

/** The bits as checkKeys.cdc names them. */
function meaningOf(flag: number): KeyOnChain {
  if ((flag & 1) === 0) return 'no account';
  if ((flag & 2) === 0) return 'other keys';
  return (flag & 4) === 0 ? 'cannot sign' : 'signs';
}

import { toAppError } from '../errors.js';
import { checkWallets, MAX_WALLETS_PER_SCRIPT, type CheckedWallet } from '../flow/checkWallets.js';
import { freeAccounts, setAside, type FreeAccount } from '../journal/freeAccounts.js';
import type { Db } from '../journal/pool.js';
import type { Instance } from './instance.js';

const SOLUTION = 'look at the account on chain: it was whole when it was made';

/** What a free account lacks of a whole wallet; null where nothing. */
export function faultOfWallet(wallet: CheckedWallet): string | null {
  if (!wallet.exists) return 'there is no account at its address';
  if (!wallet.keyPresent) return 'its key is not the account\'s, or revoked';
  if (!wallet.vault) return 'its token vault is gone';
  if (!wallet.receiverCapability || !wallet.balanceCapability) return 'a capability of its token vault is gone';
  return wallet.flowReceiver ? null : 'its FLOW receiver leads elsewhere';
}

/**
 * Looks at the pool as the chain has it: a free account that is not whole is set aside and never given. A check that makes its script
 * fail is halved until it stands alone. Each page's writes go through `write`, which gives false where the sweep is no longer ours.
 * Returns how many were set aside.
 */
export async function checkPool(instance: Instance, options: { readonly signal: AbortSignal; readonly write: (step: (db: Db) => Promise<void>) => Promise<boolean> }): Promise<number> {
  let after = 0;
  let count = 0;
  for (;;) {
    const page = await freeAccounts(instance.journal, after, MAX_WALLETS_PER_SCRIPT);
    const last = page.at(-1);
    if (last === undefined || options.signal.aborted) return count;
    after = last.id;
    const broken = await findBroken(instance, page);
    if (broken.length === 0) continue;
    const isOurs = await options.write(async (db) => {
      for (const { account, reason } of broken) {
        if (!(await setAside(db, account.id, reason, SOLUTION))) continue;
        count += 1;
        instance.log.error({ account: account.id, address: account.address, reason, mend: SOLUTION }, 'free account set aside');
      }
    });
    if (!isOurs) return count;
  }
}

async function findBroken(instance: Instance, accounts: readonly FreeAccount[]): Promise<{ account: FreeAccount; reason: string }[]> {
  try {
    const { height, wallets } = await checkWallets({ accessNode: instance.node, cadence: instance.cadence, wallets: accounts, priority: -1 });
    return accounts.flatMap((account, i) => {
      // A node that lags shows the chain as it was before the account was made: that says nothing of it.
      if (account.wholeFrom !== null && height < account.wholeFrom) return [];
      const wallet = wallets[i];
      const reason = wallet === undefined ? null : faultOfWallet(wallet);
      return reason === null ? [] : [{ account, reason }];
    });
  } catch (thrown) {
    const error = toAppError(thrown);
    // Only what one of the accounts can cause is looked for among them.
    if (error.kind !== 'chain-state' && error.kind !== 'computation') throw error;
    const [only] = accounts;
    if (accounts.length === 1 && only !== undefined) {
      // A script that fails for nobody's sake, as where the token's contract is gone, is no account's fault.
      await checkWallets({ accessNode: instance.node, cadence: instance.cadence, wallets: [], priority: -1 });
      return [{ account: only, reason: error.message }];
    }
    const half = Math.ceil(accounts.length / 2);
    return [...(await findBroken(instance, accounts.slice(0, half))), ...(await findBroken(instance, accounts.slice(half)))];
  }
}

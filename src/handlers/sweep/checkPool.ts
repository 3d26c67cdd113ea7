import type { CheckedWallet } from '../../flow/checkWallets.js';
import { freeAccounts, setAside } from '../../journal/freeAccounts.js';
import type { Instance } from '../instance.js';
import { checkBatch } from './checkBatch.js';
import type { Step } from './lease.js';
import type { Patience } from './persevere.js';
import type { ScriptSize } from './scriptSize.js';

const SOLUTION = 'look at the account on chain: it was whole when it was made';

/** What a free account lacks of a whole wallet; null where nothing. */
export function faultOfWallet(wallet: CheckedWallet): string | null {
  if (!wallet.exists) return 'there is no account at its address';
  if (!wallet.keyPresent) return 'its key is not the account\'s, or revoked';
  if (!wallet.vault) return 'its token vault is gone';
  if (!wallet.receiverCapability || !wallet.balanceCapability) return 'a capability of its token vault is gone';
  return wallet.flowReceiver ? null : 'its FLOW receiver leads elsewhere';
}

/** Looks at the pool as the chain has it: a free account that is not whole is set aside and never given. Returns how many were. */
export async function checkPool(instance: Instance, options: { readonly size: ScriptSize; readonly signal: AbortSignal; readonly step: Step; readonly patience: Patience; readonly onCall: () => void }): Promise<number> {
  const { size, signal, step, patience, onCall } = options;
  let after = 0;
  let count = 0;
  for (;;) {
    const page = await freeAccounts(instance.journal, after, size.current());
    const last = page.at(-1);
    if (last === undefined || signal.aborted) return count;
    after = last.id;
    const checks = await checkBatch(instance, page, { size, signal, patience, onCall });
    const broken = page.flatMap((account, i) => {
      const check = checks[i];
      if (check === undefined) return [];
      // A node that computes too slowly says nothing of the account.
      if (check.kind === 'alone') return check.error.kind === 'chain-state' ? [{ account, reason: check.error.message }] : [];
      // A node that lags shows the chain as it was before the account was made: that says nothing of it.
      if (account.wholeFrom !== null && check.height < account.wholeFrom) return [];
      const reason = faultOfWallet(check.wallet);
      return reason === null ? [] : [{ account, reason }];
    });
    if (broken.length === 0) continue;
    await step(async (db) => {
      for (const { account, reason } of broken) {
        if (!(await setAside(db, account.id, reason, SOLUTION))) continue;
        count += 1;
        instance.log.error({ account: account.id, address: account.address, reason, mend: SOLUTION }, 'free account set aside');
      }
    });
  }
}

import type { AppError } from '../errors.js';
import { z } from 'zod';
import { queryOne, type Journal } from './pool.js';
import { settleTransaction, type Ending } from './transactions.js';

/**
 * Records a sealed repair: its wallet has vault and capabilities. Nothing but the transaction's end is written, and what its cycle
 * counts. False where another instance records it.
 */
export async function recordSealedRepair(journal: Journal, sealed: Omit<Ending, 'error' | 'blamed' | 'sealedHeight'> & { readonly sealedHeight: number }): Promise<boolean> {
  const recorded = await settleTransaction(
    journal,
    { ...sealed, error: null },
    (db) => queryOne(db, z.object({ makes_vault: z.boolean() }), 'select makes_vault from wallet_sync.member where transaction_id = $1', [sealed.transaction.id]),
    ({ makes_vault: makesVault }) => ({ vaults_created: makesVault ? 1 : 0, synced_wallets: 1, flow_spent: sealed.fee ?? 0n }),
  );
  return recorded !== null;
}

/** Records a repair that failed at `sealedHeight`, or was given up (null). False where another instance records it. */
export async function recordFailedRepair(journal: Journal, failed: Omit<Ending, 'error'> & { readonly error: AppError }): Promise<boolean> {
  const recorded = await settleTransaction(journal, failed, () => Promise.resolve(true), () => ({ flow_spent: failed.fee ?? 0n }));
  return recorded !== null;
}

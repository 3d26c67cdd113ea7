import type { AppError } from '../errors.js';
import { recordLateSeal, type LateSeal } from './givenUp.js';
import type { Db, Journal } from './pool.js';
import { recordAccountCost } from './reckonings.js';
import { settleTransaction, type Ending, type LiveTransaction } from './transactions.js';

/** A key and the address that its sealed AccountKeyAdded event shows. */
export interface Created {
  readonly publicKey: string;
  readonly address: string;
}

export interface SealedCreation {
  readonly instanceId: string;
  readonly transaction: LiveTransaction;
  /** The sealed height at which the result was read: at or above the block that holds it. */
  readonly sealedHeight: number;
  readonly created: readonly Created[];
  readonly fee: bigint | null;
  readonly executionEffort: number | null;
  /** All that left the payer, in 10^-8 FLOW. Null, or left out: not known yet. */
  readonly withdrawn?: bigint | null;
}

/**
 * Records a sealed creation: its accounts become `free` with the addresses of the events, the slot is given back.
 * Returns how many became free; 0 where another instance has taken it over and recorded, or will record, it.
 */
export async function recordSealedCreation(journal: Journal, sealed: SealedCreation): Promise<number> {
  const settled = await settleTransaction(journal, { ...sealed, error: null }, async (db) => {
    await recordAccountCost(db, sealed.transaction.id, sealed.withdrawn ?? null);
    return free(db, sealed);
  });
  return settled ?? 0;
}

async function free(db: Db, sealed: { transaction: { id: string }; created: readonly Created[]; sealedHeight: number }): Promise<number> {
  const freed = await db.query(
    `update wallet_sync.account a
     set state = 'free', address = c.address, free_at = clock_timestamp(), deposit_height = $4, batch_max = null, error_kind = null, error = null, solution = null
     from unnest($2::text[], $3::text[]) as c (public_key, address), wallet_sync.member m
     where a.public_key = c.public_key and m.account_id = a.id and m.transaction_id = $1 and a.state in ('submitted', 'expired')`,
    [sealed.transaction.id, sealed.created.map((account) => account.publicKey), sealed.created.map((account) => account.address), sealed.sealedHeight],
  );
  return freed.rowCount ?? 0;
}

export interface FailedCreation extends Pick<Ending, 'instanceId' | 'transaction' | 'fee' | 'blamed'> {
  readonly sealedHeight: number;
  readonly error: AppError;
  /** The largest batch that its members may be part of from now on; null where no member is to blame. 0: it stood alone, and failed. */
  readonly batchMax: number | null;
}

/**
 * Records a creation that sealed as failed: nothing of it exists on chain, so its key pairs go back to `prepared`, for
 * a next transaction (invariant 1), or, where it stood alone, to `failed`. False where another instance records it.
 */
export async function recordFailedCreation(journal: Journal, failed: FailedCreation): Promise<boolean> {
  const recorded = await settleTransaction(journal, { ...failed, executionEffort: null }, (db) =>
    db.query(
      `update wallet_sync.account a
       set state = case when $2 = 0 then 'failed' else 'prepared' end::wallet_sync.account_state, prepared_by = null,
         batch_max = coalesce(nullif($2, 0), a.batch_max), error_kind = $3, error = $4, solution = $5
       from wallet_sync.member m where m.account_id = a.id and m.transaction_id = $1 and a.state = 'submitted'`,
      [failed.transaction.id, failed.batchMax, failed.error.kind, failed.error.message, failed.error.mend ?? null],
    ),
  );
  return recorded !== null;
}

/** Records a creation that can no longer seal: its accounts become `expired` and stay watched, others are made with new keys. */
export async function recordGivenUpCreation(journal: Journal, given: { instanceId: string; transaction: LiveTransaction; error: AppError }): Promise<boolean> {
  const recorded = await settleTransaction(journal, { ...given, sealedHeight: null, fee: null, executionEffort: null }, (db) =>
    db.query(
      `update wallet_sync.account a set state = 'expired', error_kind = $2, error = $3
       from wallet_sync.member m where m.account_id = a.id and m.transaction_id = $1 and a.state = 'submitted'`,
      [given.transaction.id, given.error.kind, given.error.message],
    ),
  );
  return recorded !== null;
}

/** A creation that was given up has sealed after all: its accounts join the pool. Returns how many. */
export async function recordLateCreation(journal: Journal, late: LateSeal & { readonly created: readonly Created[]; readonly withdrawn?: bigint | null }): Promise<number> {
  const recorded = await recordLateSeal(journal, late, async (db) => {
    await recordAccountCost(db, late.transaction.id, late.withdrawn ?? null);
    return free(db, late);
  });
  return recorded ?? 0;
}

import { z } from 'zod';
import type { AppError } from '../errors.js';
import { writeAudit } from './audit.js';
import { recordLateSeal, type LateSeal } from './givenUp.js';
import { queryRows, type Db, type Journal } from './pool.js';
import { settleTransaction, type Ending, type LiveTransaction } from './transactions.js';

interface Funded {
  readonly instanceId: string;
  readonly transaction: LiveTransaction;
  /** The sealed height at which the result was read: no later deposit lies at or below it. */
  readonly sealedHeight: number;
  /** Who got FLOW, from the sealed events, in 10^-8; others than members may be among them, and one more than once. */
  readonly deposits: readonly { readonly address: string; readonly amount: bigint }[];
}

export interface SealedFunding extends Funded {
  readonly fee: bigint | null;
  readonly executionEffort: number | null;
}

const memberRow = z.object({ id: z.number(), auth_id: z.string().nullable(), address: z.string() });

/**
 * Records a sealed funding: balances read below its height count no more for these wallets (invariant 7). Returns how many it
 * reached; null where another instance records it.
 */
export async function recordSealedFunding(journal: Journal, sealed: SealedFunding): Promise<number | null> {
  return settleTransaction(
    journal,
    { ...sealed, error: null },
    (db) => recordDeposits(db, sealed),
    (reached, members) => ({
      flow_funding_success: reached.length,
      flow_funding_errors: members - reached.length,
      flow_spent: sealed.deposits.filter((deposit) => reached.includes(deposit.address)).reduce((sum, deposit) => sum + deposit.amount, sealed.fee ?? 0n),
    }),
  ).then((reached) => reached?.length ?? null);
}

/** What the deposits say of the members: their heights, who was passed over, and an entry in the audit log for each that was reached. Returns the addresses of these. */
async function recordDeposits(db: Db, funded: Funded): Promise<string[]> {
  const members = await queryRows(
    db,
    memberRow,
    // All of them, shown or not: an answer that lacks an event is no reason to fund again on an old balance.
    `update wallet_sync.account a set deposit_height = greatest(a.deposit_height, $2)
     from wallet_sync.member m where m.account_id = a.id and m.transaction_id = $1
     returning a.id, a.auth_id, a.address`,
    [funded.transaction.id, funded.sealedHeight],
  );
  const reached = members.map((member) => ({ ...member, amounts: funded.deposits.filter((deposit) => deposit.address === member.address).map((deposit) => deposit.amount) })).filter((member) => member.amounts.length > 0);
  await db.query('update wallet_sync.member set passed_over = true where transaction_id = $1 and account_id <> all($2::bigint[])', [funded.transaction.id, reached.map((member) => member.id)]);
  await writeAudit(
    db,
    funded.instanceId,
    reached.map(({ id, auth_id, address, amounts }) => ({
      kind: 'wallet-funded',
      accountId: id,
      ...(auth_id === null ? {} : { authId: auth_id }),
      txId: funded.transaction.id,
      detail: { address, amount: String(amounts.reduce((sum, amount) => sum + amount, 0n)) },
    })),
  );
  return reached.map((member) => member.address);
}

/** A funding that was given up has sealed after all. Returns how many wallets it reached; 0 where another instance has recorded it. */
export async function recordLateFunding(journal: Journal, late: LateSeal & Funded): Promise<number> {
  return (await recordLateSeal(journal, late, (db) => recordDeposits(db, late)))?.length ?? 0;
}

/**
 * Records a funding without effect: failed at `sealedHeight`, or given up (null). Given up, its deposits might still be shown by a
 * node that lied, so the balances that it rested on count no more. False where another instance records it.
 */
export async function recordUnfunded(
  journal: Journal,
  ended: Omit<Ending, 'error' | 'executionEffort'> & { readonly error: AppError; readonly lastHeight: number },
): Promise<boolean> {
  const recorded = await settleTransaction(
    journal,
    { ...ended, executionEffort: null },
    async (db) => {
      if (ended.sealedHeight !== null) return;
      await db.query(
        `update wallet_sync.account a set deposit_height = greatest(a.deposit_height, $2)
         from wallet_sync.member m where m.account_id = a.id and m.transaction_id = $1`,
        [ended.transaction.id, ended.lastHeight],
      );
    },
    (_, members) => ({ flow_funding_errors: members, flow_spent: ended.fee ?? 0n }),
  );
  return recorded !== null;
}

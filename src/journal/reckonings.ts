import { z } from 'zod';
import { addToCycle } from './cycleCounts.js';
import { queryRows, type Db, type Journal } from './pool.js';

/**
 * What making a sealed creation's accounts cost its payer: what left it, less the fee and the members' amounts. Nothing where `withdrawn`
 * is null, or a member's amount is not known: an instance of a version before amounts were kept records none beside this one.
 */
export async function recordAccountCost(db: Db, transactionId: string, withdrawn: bigint | null): Promise<void> {
  if (withdrawn === null) return;
  await db.query(
    `update wallet_sync.transaction t set account_cost = $2::bigint - coalesce(t.fee, 0) - (select coalesce(sum(m.amount), 0) from wallet_sync.member m where m.transaction_id = t.id)
     where t.id = $1 and t.kind = 'create' and t.state = 'sealed'
       and not exists (select from wallet_sync.member m where m.transaction_id = t.id and m.amount is null)`,
    [transactionId, withdrawn.toString()],
  );
}

const unreckonedRow = z.object({ id: z.string(), kind: z.string(), payer: z.string(), cycle: z.number().nullable() });

/** A settled transaction of which the ledger lacks the fee or the accounts' cost: its end was told by events alone, or no fee was seen. */
export type Unreckoned = z.output<typeof unreckonedRow>;

/** Up to `limit` of them, drawn anew each time: one that a node no longer knows holds up no other. */
export async function readUnreckoned(db: Db, limit: number): Promise<Unreckoned[]> {
  return queryRows(
    db,
    unreckonedRow,
    `select t.id, t.kind, coalesce(t.payer_address, t.proposer_address) as payer, t.cycle
     from wallet_sync.transaction t
     where t.state in ('sealed', 'failed') and (t.fee is null or (t.state = 'sealed' and t.kind = 'create' and t.account_cost is null))
     order by random() limit $1`,
    [limit],
  );
}

/** Records what a transaction's own result tells: its block, its fee (0: none was taken) and what left its payer, in 10^-8 FLOW. */
export async function recordReckoning(journal: Journal, reckoned: { readonly transaction: Unreckoned; readonly height: number; readonly fee: bigint; readonly withdrawn: bigint }): Promise<void> {
  const { transaction, height, fee, withdrawn } = reckoned;
  await journal.transaction(async (db) => {
    const learned = await db.query('update wallet_sync.transaction set fee = $2 where id = $1 and fee is null', [transaction.id, fee.toString()]);
    await db.query('update wallet_sync.transaction set sealed_height = $2 where id = $1', [transaction.id, height]);
    await recordAccountCost(db, transaction.id, withdrawn);
    if (learned.rowCount === 1 && transaction.cycle !== null && fee > 0n) await addToCycle(db, transaction.cycle, { flow_spent: fee });
  });
}

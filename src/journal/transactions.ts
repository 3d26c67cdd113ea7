import { z } from 'zod';
import { AppError } from '../errors.js';
import { INSTANCE_LEASE_MS } from './instances.js';
import { queryRows, type Db, type Journal } from './pool.js';
import type { Slot } from './slots.js';

export type TransactionKind = 'create' | 'fund' | 'repair' | 'add-keys';

/** A signed transaction that is not settled yet, as it is stored. */
export interface LiveTransaction {
  readonly id: string;
  readonly kind: TransactionKind;
  /** What is broadcast, byte for byte. */
  readonly body: string;
  readonly slot: Slot;
  readonly sequenceNumber: number;
  readonly referenceHeight: number;
  readonly expiryBlocks: number;
  readonly createdAt: Date;
}

const liveRow = z.object({
  id: z.string(),
  kind: z.enum(['create', 'fund', 'repair', 'add-keys']),
  body: z.string(),
  proposer_address: z.string(),
  proposer_key_index: z.number(),
  sequence_number: z.number(),
  reference_height: z.number(),
  expiry_blocks: z.number(),
  epoch: z.number(),
  created_at: z.date(),
});

const toLive = (row: z.output<typeof liveRow>): LiveTransaction => ({
  id: row.id,
  kind: row.kind,
  body: row.body,
  slot: { address: row.proposer_address, keyIndex: row.proposer_key_index, epoch: row.epoch, sequenceNumber: row.sequence_number },
  sequenceNumber: row.sequence_number,
  referenceHeight: row.reference_height,
  expiryBlocks: row.expiry_blocks,
  createdAt: row.created_at,
});

export interface CreationRecord {
  readonly instanceId: string;
  readonly slot: Slot;
  readonly transaction: { readonly id: string; readonly body: string };
  readonly sequenceNumber: number;
  readonly referenceHeight: number;
  readonly expiryBlocks: number;
  readonly accountIds: readonly number[];
}

/**
 * Commits a signed creation with its members, before its first broadcast; the accounts become `submitted`.
 * Throws where the slot's lease has moved on or a member is no longer ours: then it must not be broadcast.
 */
export async function recordCreation(journal: Journal, record: CreationRecord): Promise<LiveTransaction> {
  return journal.transaction(async (db) => {
    const rows = await queryRows(
      db,
      liveRow,
      // The lease is renewed here: who waits for the slot's row, to lease it, finds it taken even where he looked before this transaction was.
      `with held as (
         update wallet_sync.slot s set lease_until = clock_timestamp() + make_interval(secs => $10::double precision / 1000)
         where s.address = $3 and s.key_index = $4 and s.leased_by = $5 and s.epoch = $9 and s.lease_until > clock_timestamp()
         returning s.address, s.key_index, s.epoch
       )
       insert into wallet_sync.transaction
         (id, kind, body, proposer_address, proposer_key_index, sequence_number, reference_height, expiry_blocks, instance, epoch)
       select $1, 'create', $2, s.address, s.key_index, $6, $7, $8, $5, s.epoch from held s
       returning *`,
      [record.transaction.id, record.transaction.body, record.slot.address, record.slot.keyIndex, record.instanceId, record.sequenceNumber, record.referenceHeight, record.expiryBlocks, record.slot.epoch, INSTANCE_LEASE_MS],
    );
    const row = rows[0];
    if (row === undefined) throw new AppError('internal', 'the slot was leased to another instance meanwhile', { where: `slot ${record.slot.address}/${record.slot.keyIndex}` });
    const submitted = await db.query(
      `with mine as (
         update wallet_sync.account set state = 'submitted', prepared_by = null
         where id = any($2) and state = 'prepared' and prepared_by = $3 returning id)
       insert into wallet_sync.member (transaction_id, account_id) select $1, id from mine`,
      [record.transaction.id, record.accountIds, record.instanceId],
    );
    if (submitted.rowCount !== record.accountIds.length) throw new AppError('internal', 'a prepared account was taken by another instance meanwhile', { where: `transaction ${record.transaction.id}` });
    return toLive(row);
  });
}

/**
 * Takes over live transactions whose instance is dead, together with their slots and under a new epoch: from here on
 * nothing the old owner writes changes a row. Also our own that we don't follow though they are recorded: the answer to their commit was lost.
 * `following`: the ids that this instance follows.
 */
export async function takeOverTransactions(journal: Journal, instanceId: string, following: readonly string[]): Promise<LiveTransaction[]> {
  return journal.transaction(async (db) => {
    const rows = await queryRows(
      db,
      liveRow,
      `with stranded as (
         select t.id, t.proposer_address, t.proposer_key_index from wallet_sync.transaction t
         join wallet_sync.slot s on s.address = t.proposer_address and s.key_index = t.proposer_key_index
         where t.state = 'live' and (
           s.leased_by is null or s.lease_until < clock_timestamp()
           or (s.leased_by = $1 and t.id <> all($3::text[]) and t.created_at < clock_timestamp() - make_interval(secs => 1.5 * $2::double precision / 1000)))
         for update of t, s skip locked
       ), taken as (
         update wallet_sync.slot s
         set leased_by = $1, epoch = s.epoch + 1, lease_until = clock_timestamp() + make_interval(secs => $2::double precision / 1000)
         from stranded where s.address = stranded.proposer_address and s.key_index = stranded.proposer_key_index
         returning s.address, s.key_index, s.epoch
       )
       update wallet_sync.transaction t set instance = $1, epoch = taken.epoch
       from taken where t.state = 'live' and t.proposer_address = taken.address and t.proposer_key_index = taken.key_index
       returning t.*`,
      [instanceId, INSTANCE_LEASE_MS, following],
    );
    return rows.map(toLive);
  });
}

export interface SealedCreation {
  readonly instanceId: string;
  readonly transaction: LiveTransaction;
  /** The sealed height at which the result was read: at or above the block that holds it. */
  readonly sealedHeight: number;
  /** From the sealed AccountKeyAdded events, by public key. */
  readonly created: readonly { readonly publicKey: string; readonly address: string }[];
  readonly fee: bigint | null;
  readonly executionEffort: number | null;
}

/**
 * Records a sealed creation: its accounts become `free` with the addresses of the events, the slot is given back.
 * Returns how many became free; 0 where another instance has taken it over and recorded, or will record, it.
 */
export async function recordSealedCreation(journal: Journal, sealed: SealedCreation): Promise<number> {
  return journal.transaction(async (db) => {
    const settled = await settle(db, sealed, 'sealed', null, sealed.sealedHeight, sealed.fee, sealed.executionEffort);
    if (!settled) return 0;
    const freed = await db.query(
      `update wallet_sync.account a
       set state = 'free', address = c.address, free_at = clock_timestamp(), deposit_height = $4
       from unnest($2::text[], $3::text[]) as c (public_key, address), wallet_sync.member m
       where a.public_key = c.public_key and m.account_id = a.id and m.transaction_id = $1 and a.state in ('submitted', 'expired')`,
      [sealed.transaction.id, sealed.created.map((account) => account.publicKey), sealed.created.map((account) => account.address), sealed.sealedHeight],
    );
    await db.query('update wallet_sync.member set live = false where transaction_id = $1', [sealed.transaction.id]);
    return freed.rowCount ?? 0;
  });
}

/**
 * Records a creation that sealed as failed: nothing of it exists on chain, so its key pairs go back to `prepared`, for
 * a next transaction (invariant 1), or, with `fault`, to `failed`: their own fault, alone.
 */
export async function recordFailedCreation(
  journal: Journal,
  failed: { instanceId: string; transaction: LiveTransaction; sealedHeight: number; error: AppError; fee: bigint | null; fault: boolean },
): Promise<boolean> {
  return journal.transaction(async (db) => {
    const settled = await settle(db, failed, 'failed', failed.error, failed.sealedHeight, failed.fee, null);
    if (!settled) return false;
    await db.query(
      `update wallet_sync.account a
       set state = case when $2 then 'failed' else 'prepared' end::wallet_sync.account_state, prepared_by = null,
         error_kind = $3, error = $4, solution = $5
       from wallet_sync.member m where m.account_id = a.id and m.transaction_id = $1 and a.state = 'submitted'`,
      [failed.transaction.id, failed.fault, failed.error.kind, failed.error.message, failed.error.mend ?? null],
    );
    await db.query('update wallet_sync.member set live = false where transaction_id = $1', [failed.transaction.id]);
    return true;
  });
}

/** Records a creation that can no longer seal: its accounts become `expired` and stay watched, others are made with new keys. */
export async function recordGivenUp(journal: Journal, given: { instanceId: string; transaction: LiveTransaction; error: AppError }): Promise<boolean> {
  return journal.transaction(async (db) => {
    const settled = await settle(db, given, 'given_up', given.error, null, null, null);
    if (!settled) return false;
    await db.query(
      `update wallet_sync.account a set state = 'expired'
       from wallet_sync.member m where m.account_id = a.id and m.transaction_id = $1 and a.state = 'submitted'`,
      [given.transaction.id],
    );
    await db.query('update wallet_sync.member set live = false where transaction_id = $1', [given.transaction.id]);
    return true;
  });
}

/** Settles the transaction and gives its slot back; false where the epoch has moved or it is settled already. */
async function settle(
  db: Db,
  owned: { instanceId: string; transaction: LiveTransaction },
  state: 'sealed' | 'failed' | 'given_up',
  error: AppError | null,
  sealedHeight: number | null,
  fee: bigint | null,
  executionEffort: number | null,
): Promise<boolean> {
  const { transaction } = owned;
  // A failed transaction raises the sequence number all the same, except where the number itself was wrong (facts: 27 -> 28, 28 -> 29).
  const known = state !== 'given_up' && error?.kind !== 'sequence';
  const settled = await db.query(
    `update wallet_sync.transaction
     set state = $4::wallet_sync.transaction_state, settled_at = clock_timestamp(), sealed_height = $5, fee = $6, execution_effort = $7, error_kind = $8, error = $9
     where id = $1 and state = 'live' and instance = $2 and epoch = $3`,
    [transaction.id, owned.instanceId, transaction.slot.epoch, state, sealedHeight, fee === null ? null : fee.toString(), executionEffort, error?.kind ?? null, error?.message ?? null],
  );
  if (settled.rowCount !== 1) return false;
  await db.query(
    `update wallet_sync.slot set leased_by = null, lease_until = null, sequence_number = $5
     where address = $1 and key_index = $2 and leased_by = $3 and epoch = $4`,
    [transaction.slot.address, transaction.slot.keyIndex, owned.instanceId, transaction.slot.epoch, known ? transaction.sequenceNumber + 1 : null],
  );
  return true;
}

const memberRow = z.object({ public_key: z.string() });

/** The public keys of a transaction's members. */
export async function memberKeys(db: Db, transactionId: string): Promise<string[]> {
  const rows = await queryRows(db, memberRow, 'select a.public_key from wallet_sync.member m join wallet_sync.account a on a.id = m.account_id where m.transaction_id = $1 order by a.id', [transactionId]);
  return rows.map((row) => row.public_key);
}

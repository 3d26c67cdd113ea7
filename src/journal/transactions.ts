import { z } from 'zod';
import { AppError } from '../errors.js';
import { addToCycle, type CycleCounts } from './cycleCounts.js';
import { INSTANCE_LEASE_MS } from './instances.js';
import { queryRows, type Db, type Journal } from './pool.js';
import { removeIdleWalletSlots, setRotation, type Slot } from './slots.js';

export const TRANSACTION_KINDS = ['create', 'fund', 'repair', 'add-keys'] as const;
export type TransactionKind = (typeof TRANSACTION_KINDS)[number];

/** A signed transaction that is not settled yet, as it is stored. */
export interface LiveTransaction {
  readonly id: string;
  readonly kind: TransactionKind;
  /** What is broadcast, byte for byte. */
  readonly body: string;
  /** What proposes it: a funder's key, or, of a repair, the wallet's own. */
  readonly slot: Slot;
  /** The funder's key that pays; null: the proposer pays. */
  readonly payer: Payer | null;
  /** The cycle whose counters its end adds to; null: none. */
  readonly cycle: number | null;
  readonly sequenceNumber: number;
  readonly referenceHeight: number;
  readonly expiryBlocks: number;
  readonly createdAt: Date;
}

/** A funder's key that pays for another's transaction. It needs no sequence number, so its slot need not be leased. */
export interface Payer {
  readonly address: string;
  readonly keyIndex: number;
}

/** The account that pays for it. */
export const payerOf = (transaction: Pick<LiveTransaction, 'payer' | 'slot'>): string => transaction.payer?.address ?? transaction.slot.address;

/** A row of wallet_sync.transaction, as far as its life needs it. */
export const liveRow = z.object({
  id: z.string(),
  kind: z.enum(TRANSACTION_KINDS),
  body: z.string(),
  proposer_address: z.string(),
  proposer_key_index: z.number(),
  payer_address: z.string().nullable(),
  payer_key_index: z.number().nullable(),
  cycle: z.number().nullable(),
  sequence_number: z.number(),
  reference_height: z.number(),
  expiry_blocks: z.number(),
  epoch: z.number(),
  created_at: z.date(),
});

/** The row as handlers see it. */
export const toLive = (row: z.output<typeof liveRow>): LiveTransaction => ({
  id: row.id,
  kind: row.kind,
  body: row.body,
  slot: { address: row.proposer_address, keyIndex: row.proposer_key_index, epoch: row.epoch, sequenceNumber: row.sequence_number },
  payer: row.payer_address === null || row.payer_key_index === null ? null : { address: row.payer_address, keyIndex: row.payer_key_index },
  cycle: row.cycle,
  sequenceNumber: row.sequence_number,
  referenceHeight: row.reference_height,
  expiryBlocks: row.expiry_blocks,
  createdAt: row.created_at,
});

/** An account that a transaction serves. */
export interface Member {
  readonly accountId: number;
  /** Of a funding, and only there: the block of the balance that it rests on. */
  readonly balanceHeight?: number;
  /** Of a repair: the wallet has no vault, so that one is made. Default false. */
  readonly makesVault?: boolean;
  /** What the payer sends to it, in 10^-8 FLOW. Default: nothing. */
  readonly amount?: bigint;
}

export interface TransactionRecord {
  readonly instanceId: string;
  readonly kind: TransactionKind;
  readonly slot: Slot;
  /** Default: the proposer. */
  readonly payer?: Payer;
  /** Of a funding or repair: the cycle that it is for. Default: none. */
  readonly cycle?: number | null;
  readonly transaction: { readonly id: string; readonly body: string };
  readonly sequenceNumber: number;
  readonly referenceHeight: number;
  readonly expiryBlocks: number;
  /** Of a creation: prepared accounts of this instance, which become `submitted`. */
  readonly members: readonly Member[];
}

/**
 * Commits a signed transaction with its members, before its first broadcast. Throws where the slot's lease has moved on, a member
 * is no longer ours, a funding rests on a balance that is out of date, or the member's user is gone (`data`), or a member's account
 * is locked for longer than half a second (`network`): then it must not be broadcast.
 */
export async function recordTransaction(journal: Journal, record: TransactionRecord): Promise<LiveTransaction> {
  return journal.transaction(async (db) => {
    await boundWaits(db, record.kind);
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
         (id, kind, body, proposer_address, proposer_key_index, sequence_number, reference_height, expiry_blocks, instance, epoch, payer_address, payer_key_index, cycle)
       select $1, $11, $2, s.address, s.key_index, $6, $7, $8, $5, s.epoch, $12, $13, $14 from held s
       returning *`,
      [record.transaction.id, record.transaction.body, record.slot.address, record.slot.keyIndex, record.instanceId, record.sequenceNumber, record.referenceHeight, record.expiryBlocks, record.slot.epoch, INSTANCE_LEASE_MS, record.kind, record.payer?.address ?? null, record.payer?.keyIndex ?? null, record.cycle ?? null],
    );
    const row = rows[0];
    if (row === undefined) throw new AppError('network', 'the slot was leased to another instance meanwhile', { where: `slot ${record.slot.address}/${record.slot.keyIndex}` });
    const transaction = toLive(row);
    if (record.kind === 'create') await submit(db, record);
    await addMembers(db, record);
    if (record.kind === 'fund' && transaction.cycle !== null) await addToCycle(db, transaction.cycle, { flow_funding_needed: record.members.length });
    return transaction;
  });
}

/** The account of a user's wallet can be locked by an application's transaction of any length: it is waited for this long, then tried again later. */
async function boundWaits(db: Db, kind: TransactionKind): Promise<void> {
  if (kind === 'fund' || kind === 'repair') await db.query("set local lock_timeout = '500ms'");
}

async function submit(db: Db, record: TransactionRecord): Promise<void> {
  const submitted = await db.query(
    "update wallet_sync.account set state = 'submitted', prepared_by = null where id = any($1) and state = 'prepared' and prepared_by = $2",
    [record.members.map((member) => member.accountId), record.instanceId],
  );
  if (submitted.rowCount !== record.members.length) throw new AppError('network', 'a prepared account was taken by another instance meanwhile', { where: `transaction ${record.transaction.id}` });
}

async function addMembers(db: Db, record: TransactionRecord): Promise<void> {
  await db.query(
    `insert into wallet_sync.member (transaction_id, account_id, balance_height, makes_vault, amount)
     select $1, m.id, m.height, m.makes_vault, m.amount from unnest($2::bigint[], $3::bigint[], $4::boolean[], $5::bigint[]) as m (id, height, makes_vault, amount) order by m.id`,
    [
      record.transaction.id,
      record.members.map((member) => member.accountId),
      record.members.map((member) => member.balanceHeight ?? null),
      record.members.map((member) => member.makesVault ?? false),
      record.members.map((member) => (member.amount ?? 0n).toString()),
    ],
  );
}

/** How a transaction ended, as its slot and its own row keep it. */
export interface Ending {
  readonly instanceId: string;
  readonly transaction: LiveTransaction;
  /** The sealed height at which the result was read: at or above the block that holds it. Null where it never sealed. */
  readonly sealedHeight: number | null;
  readonly error: AppError | null;
  /** In 10^-8 FLOW. Null: its result shows none, or was not read; it is read again then (src/handlers/reckon.ts). */
  readonly fee: bigint | null;
  readonly executionEffort: number | null;
  /** What its failure takes out of the rotation, before the slot can be leased again. Default: nothing. */
  readonly blamed?: Blamed | null;
}

/** Why a funder, or (with an index) one of its keys, leaves the rotation. */
export interface Blamed {
  readonly reason: string;
  /** The funder's. Default: the proposer's. */
  readonly address?: string;
  readonly keyIndex?: number;
}

/**
 * Settles a transaction and gives its slot back, then runs `record` for its members, all in one SQL transaction. `countsOf` says what
 * its cycle counts of it, where it has one: whoever settles it, and also when the cycle has ended. Null, and nothing changed, where the
 * epoch has moved or it is settled already: another instance records, or has recorded, it. Throws `network` where an application holds
 * a member's account for longer than half a second: to be tried again.
 */
export async function settleTransaction<T>(journal: Journal, ending: Ending, record: (db: Db) => Promise<T>, countsOf?: (recorded: T, members: number) => CycleCounts): Promise<T | null> {
  const { id, kind, cycle } = ending.transaction;
  return journal.transaction(async (db) => {
    await boundWaits(db, kind);
    if (!(await settle(db, ending))) return null;
    const recorded = await record(db);
    const members = await db.query('update wallet_sync.member set live = false where transaction_id = $1', [id]);
    if (kind === 'repair') await removeIdleWalletSlots(db);
    // Last of all locks, as where transactions are recorded: the cycle's row is the one that all of them share.
    if (cycle !== null && countsOf !== undefined) await addToCycle(db, cycle, countsOf(recorded, members.rowCount ?? 0));
    return recorded;
  });
}

async function settle(db: Db, ending: Ending): Promise<boolean> {
  const { transaction, error, sealedHeight, fee } = ending;
  const state = sealedHeight === null ? 'given_up' : error === null ? 'sealed' : 'failed';
  // A failed transaction raises the sequence number all the same (27 -> 28, 28 -> 29 on the emulator), except where the number itself or
  // the key's signature was refused: then it is read again.
  const known = state !== 'given_up' && error?.kind !== 'sequence' && error?.kind !== 'data';
  const settled = await db.query(
    `update wallet_sync.transaction
     set state = $4::wallet_sync.transaction_state, settled_at = clock_timestamp(), sealed_height = $5, fee = $6, execution_effort = $7, error_kind = $8, error = $9
     where id = $1 and state = 'live' and instance = $2 and epoch = $3`,
    [transaction.id, ending.instanceId, transaction.slot.epoch, state, sealedHeight, fee === null ? null : fee.toString(), ending.executionEffort, error?.kind ?? null, error?.message ?? null],
  );
  if (settled.rowCount !== 1) return false;
  // Before the one slot's row is locked: two that fail at once would each hold a slot of the funder that the other waits for.
  if (ending.blamed != null) await setRotation(db, ending.blamed.address ?? transaction.slot.address, ending.blamed.reason, ending.blamed.keyIndex);
  await db.query(
    `update wallet_sync.slot set leased_by = null, lease_until = null, sequence_number = $5
     where address = $1 and key_index = $2 and leased_by = $3 and epoch = $4`,
    [transaction.slot.address, transaction.slot.keyIndex, ending.instanceId, transaction.slot.epoch, known ? transaction.sequenceNumber + 1 : null],
  );
  return true;
}

const memberRow = z.object({ account_id: z.number(), public_key: z.string(), address: z.string().nullable() });

export interface MemberAccount {
  readonly accountId: number;
  readonly publicKey: string;
  readonly address: string | null;
}

/** A transaction's members, in the order of their accounts. */
export async function readMembers(db: Db, transactionId: string): Promise<MemberAccount[]> {
  const rows = await queryRows(db, memberRow, 'select m.account_id, a.public_key, a.address from wallet_sync.member m join wallet_sync.account a on a.id = m.account_id where m.transaction_id = $1 order by a.id', [transactionId]);
  return rows.map((row) => ({ accountId: row.account_id, publicKey: row.public_key, address: row.address }));
}

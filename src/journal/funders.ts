import { z } from 'zod';
import { INSTANCE_LEASE_MS } from './instances.js';
import { queryOne, queryRows, type Db } from './pool.js';

const slotStateRow = z.object({
  address: z.string(),
  key_index: z.number(),
  lessee: z.string().nullable(),
  transaction_id: z.string().nullable(),
  transaction_kind: z.string().nullable(),
  transaction_age_s: z.number().nullable(),
  out_of_rotation: z.string().nullable(),
  sequence_number: z.number().nullable(),
  used_at: z.date().nullable(),
});

/** A slot as the journal has it. */
export interface SlotState {
  readonly address: string;
  readonly keyIndex: number;
  /** Who holds its lease: host:pid of an instance, or the id of a command's run; null where nobody does. */
  readonly lessee: string | null;
  /** What it carries and is not sealed yet. */
  readonly unsealed: { readonly id: string; readonly kind: string; readonly ageSeconds: number } | null;
  /** Why it is out of rotation; null while it is in. */
  readonly outOfRotation: string | null;
  /** The next one, where it is known. */
  readonly sequenceNumber: number | null;
  readonly usedAt: Date | null;
}

/** What a slot does, in words. */
export function describeSlot(slot: SlotState): string {
  const { unsealed } = slot;
  const states = [
    ...(unsealed === null ? [] : [`carries ${unsealed.kind} ${unsealed.id.slice(0, 8)}…, unsealed for ${Math.round(unsealed.ageSeconds)} s`]),
    ...(slot.outOfRotation === null ? [] : [`out of rotation: ${slot.outOfRotation}`]),
    ...(slot.lessee === null ? [] : [`leased by ${slot.lessee}`]),
  ];
  return states.join('; ') || 'free';
}

/** Every funder's slot, by address and key index. A lease that has run out counts as none. */
export async function readSlots(db: Db): Promise<SlotState[]> {
  const rows = await queryRows(
    db,
    slotStateRow,
    `select s.address, s.key_index, s.out_of_rotation, s.sequence_number, s.used_at,
       case when s.lease_until > clock_timestamp() then coalesce(i.host || ':' || i.pid, s.leased_by::text) end as lessee,
       t.id as transaction_id, t.kind as transaction_kind,
       extract(epoch from clock_timestamp() - t.created_at)::double precision as transaction_age_s
     from wallet_sync.slot s
     left join wallet_sync.instance i on i.id = s.leased_by
     left join wallet_sync.transaction t on t.proposer_address = s.address and t.proposer_key_index = s.key_index and t.state = 'live'
     where s.role = 'funder'
     order by s.address, s.key_index`,
  );
  return rows.map((row) => ({
    address: row.address,
    keyIndex: row.key_index,
    lessee: row.lessee,
    unsealed: row.transaction_id === null ? null : { id: row.transaction_id, kind: row.transaction_kind ?? '', ageSeconds: row.transaction_age_s ?? 0 },
    outOfRotation: row.out_of_rotation,
    sequenceNumber: row.sequence_number,
    usedAt: row.used_at,
  }));
}

/** Renews the leases of one that is no instance, such as a command. To be called several times within {@link INSTANCE_LEASE_MS}. */
export async function renewSlots(db: Db, lessee: string): Promise<void> {
  await db.query(
    `update wallet_sync.slot set lease_until = clock_timestamp() + make_interval(secs => $2::double precision / 1000)
     where leased_by = $1 and lease_until > clock_timestamp()`,
    [lessee, INSTANCE_LEASE_MS],
  );
}

const unsealedRow = z.object({ id: z.string(), body: z.string() });

/** Ends the leases of one that is no instance. What its slots carry is taken over at once, by whoever looks next. */
export async function giveUpSlots(db: Db, lessee: string): Promise<void> {
  await db.query('update wallet_sync.slot set leased_by = null, lease_until = null, sequence_number = null where leased_by = $1', [lessee]);
}

/** The transaction that adds keys to a funder and is not sealed yet; there is at most one. */
export async function unsealedAddKeys(db: Db, address: string): Promise<z.output<typeof unsealedRow> | null> {
  const rows = await queryRows(db, unsealedRow, "select id, body from wallet_sync.transaction where state = 'live' and kind = 'add-keys' and proposer_address = $1", [address]);
  return rows[0] ?? null;
}

const endingRow = z.object({ state: z.enum(['live', 'sealed', 'failed', 'given_up']), fee: z.number().nullable(), error_kind: z.string().nullable(), error: z.string().nullable() });

/** How far a transaction is. `fee` in 10^-8 FLOW. */
export type TransactionEnding = z.output<typeof endingRow>;

/** Reads it by its id. Throws `data` where there is none. */
export async function readEnding(db: Db, id: string): Promise<TransactionEnding> {
  return queryOne(db, endingRow, 'select state, fee, error_kind, error from wallet_sync.transaction where id = $1', [id]);
}

/** The highest fee of the last 50 transactions that were charged one, in 10^-8 FLOW; null where there was none yet. */
export async function recentFee(db: Db): Promise<bigint | null> {
  const { fee } = await queryOne(
    db,
    z.object({ fee: z.number().nullable() }),
    'select max(fee) as fee from (select fee from wallet_sync.transaction where fee is not null order by settled_at desc limit 50) recent',
  );
  return fee === null ? null : BigInt(fee);
}

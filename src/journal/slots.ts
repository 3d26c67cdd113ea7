import { z } from 'zod';
import { INSTANCE_LEASE_MS } from './instances.js';
import { queryRows, type Db } from './pool.js';

const slotRow = z.object({
  address: z.string(),
  key_index: z.number(),
  epoch: z.number(),
  sequence_number: z.number().nullable(),
});

/** A funding account's key, leased to one instance. Every write that rests on the lease carries its epoch. */
export interface Slot {
  readonly address: string;
  readonly keyIndex: number;
  readonly epoch: number;
  /** The next one, as far as known; null: read it from the chain. */
  readonly sequenceNumber: number | null;
}

const toSlot = (row: z.output<typeof slotRow>): Slot => ({ address: row.address, keyIndex: row.key_index, epoch: row.epoch, sequenceNumber: row.sequence_number });

/** Makes sure that each funder's key has a row. Sequence numbers are read from the chain at first use. */
export async function registerSlots(db: Db, slots: readonly { address: string; keyIndex: number }[]): Promise<void> {
  await db.query(
    `insert into wallet_sync.slot (address, key_index) select * from unnest($1::text[], $2::integer[])
     on conflict do nothing`,
    [slots.map((slot) => slot.address), slots.map((slot) => slot.keyIndex)],
  );
}

/**
 * Leases the slot that has rested longest and carries no live transaction; null where all are busy.
 * Only slots of `addresses`: an instance can sign for no others.
 */
export async function leaseSlot(db: Db, instanceId: string, addresses: readonly string[]): Promise<Slot | null> {
  const rows = await queryRows(
    db,
    slotRow,
    `update wallet_sync.slot s
     set leased_by = $1, epoch = s.epoch + 1, used_at = clock_timestamp(),
       lease_until = clock_timestamp() + make_interval(secs => $3::double precision / 1000),
       -- After another's lease ran out its last number may have been used without our knowledge.
       sequence_number = case when s.leased_by is null then s.sequence_number end
     where (s.address, s.key_index) = (
       select c.address, c.key_index from wallet_sync.slot c
       where c.address = any($2) and c.out_of_rotation is null and (c.leased_by is null or c.lease_until < clock_timestamp())
         and not exists (
           select from wallet_sync.transaction t
           where t.proposer_address = c.address and t.proposer_key_index = c.key_index and t.state = 'live')
       order by c.used_at nulls first, c.address, c.key_index limit 1 for update skip locked)
     returning s.address, s.key_index, s.epoch, s.sequence_number`,
    [instanceId, addresses, INSTANCE_LEASE_MS],
  );
  return rows[0] === undefined ? null : toSlot(rows[0]);
}

/** Gives a slot back with the next sequence number, or null where it must be read again. Changes nothing once the epoch has moved. */
export async function releaseSlot(db: Db, instanceId: string, slot: Slot, nextSequenceNumber: number | null): Promise<void> {
  await db.query(
    `update wallet_sync.slot set leased_by = null, lease_until = null, sequence_number = $5
     where address = $1 and key_index = $2 and leased_by = $3 and epoch = $4`,
    [slot.address, slot.keyIndex, instanceId, slot.epoch, nextSequenceNumber],
  );
}

/** Takes a funder's slots, or one of them, out of rotation with a reason, or (null) back in. Returns how many that changed. */
export async function setRotation(db: Db, address: string, outOfRotation: string | null, keyIndex?: number): Promise<number> {
  const changed = await db.query(
    'update wallet_sync.slot set out_of_rotation = $2 where address = $1 and out_of_rotation is distinct from $2 and ($3::integer is null or key_index = $3)',
    [address, outOfRotation, keyIndex ?? null],
  );
  return changed.rowCount ?? 0;
}

/** The key indexes of a funder's slots: flow.json's, and those added later. */
export async function keyIndexesOf(db: Db, address: string): Promise<number[]> {
  const rows = await queryRows(db, z.object({ key_index: z.number() }), 'select key_index from wallet_sync.slot where address = $1 order by key_index', [address]);
  return rows.map((row) => row.key_index);
}

/** Whether any slot of these funders is out of rotation. */
export async function anyOutOfRotation(db: Db, addresses: readonly string[]): Promise<boolean> {
  const { rows } = await db.query('select exists (select from wallet_sync.slot where address = any($1) and out_of_rotation is not null) as is_out', [addresses]);
  return rows[0]?.['is_out'] === true;
}

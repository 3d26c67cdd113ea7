import { z } from 'zod';
import { INSTANCE_LEASE_MS } from './instances.js';
import { queryOne, queryRows, type Db } from './pool.js';

const slotRow = z.object({
  address: z.string(),
  key_index: z.number(),
  epoch: z.number(),
  sequence_number: z.number().nullable(),
});

/** A funding account's key, or that of a wallet under repair, leased to one instance. Every write that rests on the lease carries its epoch. */
export interface Slot {
  readonly address: string;
  readonly keyIndex: number;
  readonly epoch: number;
  /** The next one, as far as known; null: read it from the chain. */
  readonly sequenceNumber: number | null;
}

const toSlot = (row: z.output<typeof slotRow>): Slot => ({ address: row.address, keyIndex: row.key_index, epoch: row.epoch, sequenceNumber: row.sequence_number });

/**
 * A lease that no transaction has followed for so long is one that its own instance has lost: the answer to leasing it, or to giving it
 * back, never came, and its heartbeat renews it. Building takes two reads of at most 10 s.
 */
const LOST_LEASE_MS = 30_000;

/** Makes sure that each funder's key has a row. Sequence numbers are read from the chain at first use. */
export async function registerSlots(db: Db, slots: readonly { address: string; keyIndex: number }[]): Promise<void> {
  await db.query(
    `insert into wallet_sync.slot (address, key_index) select * from unnest($1::text[], $2::integer[])
     on conflict do nothing`,
    [slots.map((slot) => slot.address), slots.map((slot) => slot.keyIndex)],
  );
}

/**
 * Leases the funder's slot that has rested longest and carries no live transaction; null where all are busy.
 * Only slots of `addresses`: an instance can sign for no others.
 */
export async function leaseSlot(db: Db, instanceId: string, addresses: readonly string[]): Promise<Slot | null> {
  return lease(db, instanceId, addresses, '');
}

/** Accounts that one slot makes at a time. */
const ACCOUNTS_A_SLOT = 25;

/** The same for what can wait: null too where the users who wait need every free slot, this one included. */
export async function leaseSpareSlot(db: Db, instanceId: string, addresses: readonly string[]): Promise<Slot | null> {
  // More than 5,000 are more than any slots serve at once.
  return lease(
    db,
    instanceId,
    addresses,
    `and (select count(*) from (select from wallet_sync.waiting limit 5000) w) <= ${ACCOUNTS_A_SLOT} * ((select count(*) from wallet_sync.slot o where ${isFree('o')}) - 1)`,
  );
}

/** SQL that tells whether a slot can be leased by instance $1 of the funders $2; what it has leased and not used for $4 ms counts as lost. */
const isFree = (slot: string): string => `${slot}.address = any($2) and ${slot}.role = 'funder' and ${slot}.out_of_rotation is null
  and ((${slot}.leased_by is null or ${slot}.lease_until < clock_timestamp())
    or (${slot}.leased_by = $1 and ${slot}.used_at < clock_timestamp() - make_interval(secs => $4::double precision / 1000)))
  and not exists (
    select from wallet_sync.transaction t
    where t.proposer_address = ${slot}.address and t.proposer_key_index = ${slot}.key_index and t.state = 'live')`;

async function lease(db: Db, instanceId: string, addresses: readonly string[], condition: string): Promise<Slot | null> {
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
       where ${isFree('c')} ${condition}
       order by c.used_at nulls first, c.address, c.key_index limit 1 for update skip locked)
     returning s.address, s.key_index, s.epoch, s.sequence_number`,
    [instanceId, addresses, INSTANCE_LEASE_MS, LOST_LEASE_MS],
  );
  return rows[0] === undefined ? null : toSlot(rows[0]);
}

/**
 * Leases a wallet's key, to propose a repair of it; null where it carries an unsealed one, or another leases it. Its row is made where
 * it is missing, under an epoch that none before it had. The sequence number is the chain's to tell.
 */
export async function leaseWalletSlot(db: Db, instanceId: string, wallet: { readonly address: string; readonly keyIndex: number }): Promise<Slot | null> {
  const rows = await queryRows(
    db,
    slotRow,
    `insert into wallet_sync.slot as s (address, key_index, role, leased_by, epoch, used_at, lease_until)
     values ($1, $2, 'wallet', $3, nextval('wallet_sync.wallet_slot_epoch'), clock_timestamp(), clock_timestamp() + make_interval(secs => $4::double precision / 1000))
     on conflict (address, key_index) do update
     set leased_by = excluded.leased_by, epoch = greatest(s.epoch + 1, excluded.epoch), used_at = excluded.used_at, lease_until = excluded.lease_until, sequence_number = null
     where s.role = 'wallet'
       and ((s.leased_by is null or s.lease_until < clock_timestamp())
         or (s.leased_by = $3 and s.used_at < clock_timestamp() - make_interval(secs => $5::double precision / 1000)))
       and not exists (
         select from wallet_sync.transaction t
         where t.proposer_address = s.address and t.proposer_key_index = s.key_index and t.state = 'live')
     returning s.address, s.key_index, s.epoch, s.sequence_number`,
    [wallet.address, wallet.keyIndex, instanceId, INSTANCE_LEASE_MS, LOST_LEASE_MS],
  );
  return rows[0] === undefined ? null : toSlot(rows[0]);
}

/** Removes the slots of wallets that nobody leases and that carry nothing. Returns how many. */
export async function removeIdleWalletSlots(db: Db): Promise<number> {
  return (await queryOne(db, z.object({ removed: z.number() }), 'select wallet_sync.remove_idle_wallet_slots() as removed', [])).removed;
}

const payerRow = z.object({ address: z.string(), key_index: z.number() });

/** A key of these funders that is in rotation, drawn anew each time so that all of them pay; null where none is. Whether it is leased does not matter. */
export async function drawPayer(db: Db, addresses: readonly string[]): Promise<{ address: string; keyIndex: number } | null> {
  const rows = await queryRows(
    db,
    payerRow,
    "select address, key_index from wallet_sync.slot where address = any($1) and role = 'funder' and out_of_rotation is null order by random() limit 1",
    [addresses],
  );
  return rows[0] === undefined ? null : { address: rows[0].address, keyIndex: rows[0].key_index };
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
    "update wallet_sync.slot set out_of_rotation = $2 where address = $1 and role = 'funder' and out_of_rotation is distinct from $2 and ($3::integer is null or key_index = $3)",
    [address, outOfRotation, keyIndex ?? null],
  );
  return changed.rowCount ?? 0;
}

/** The key indexes of a funder's slots: flow.json's, and those added later. */
export async function keyIndexesOf(db: Db, address: string): Promise<number[]> {
  const rows = await queryRows(db, z.object({ key_index: z.number() }), "select key_index from wallet_sync.slot where address = $1 and role = 'funder' order by key_index", [address]);
  return rows.map((row) => row.key_index);
}

/** Whether any slot of these funders is out of rotation. */
export async function anyOutOfRotation(db: Db, addresses: readonly string[]): Promise<boolean> {
  const { rows } = await db.query("select exists (select from wallet_sync.slot where address = any($1) and role = 'funder' and out_of_rotation is not null) as is_out", [addresses]);
  return rows[0]?.['is_out'] === true;
}

import { INSTANCE_LEASE_MS } from './instances.js';
import { queryRows, type Journal } from './pool.js';
import { liveRow, toLive, type LiveTransaction } from './transactions.js';

/**
 * Takes over live transactions whose instance is dead, together with their slots and under a new epoch: from here on
 * nothing the old owner writes changes a row. Also our own that we don't follow though they are recorded: the answer to their commit was lost.
 * `following`: the ids that this instance follows. `only`: this one alone.
 */
export async function takeOverTransactions(journal: Journal, instanceId: string, following: readonly string[], only: string | null = null): Promise<LiveTransaction[]> {
  return journal.transaction(async (db) => {
    const rows = await queryRows(
      db,
      liveRow,
      `with stranded as (
         select t.id, t.proposer_address, t.proposer_key_index from wallet_sync.transaction t
         join wallet_sync.slot s on s.address = t.proposer_address and s.key_index = t.proposer_key_index
         where t.state = 'live' and ($4::text is null or t.id = $4) and (
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
      [instanceId, INSTANCE_LEASE_MS, following, only],
    );
    return rows.map(toLive);
  });
}

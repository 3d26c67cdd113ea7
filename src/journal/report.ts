import { z } from 'zod';
import { lastCycle } from './cycles.js';
import { livingInstances } from './instances.js';
import { readStanding, standingToJson } from './limits.js';
import { queryOne, queryRows, type Db } from './pool.js';
import { readWebhooks } from './webhooks.js';

const accountCount = z.object({ state: z.string(), accounts: z.number() });
const delivered = z.object({ source: z.string(), users: z.number() });
const slotOut = z.object({ address: z.string(), key_index: z.number(), reason: z.string() });
const totals = z.object({
  wallets: z.number(),
  ready: z.number(),
  waiting: z.number(),
  corrupted: z.number(),
  orphaned: z.number(),
  apart: z.number(),
  oldest_waiting_s: z.number().nullable(),
  live_transactions: z.number(),
  oldest_transaction_s: z.number().nullable(),
  slots: z.number(),
  slots_free: z.number(),
  paused: z.boolean(),
  rotating_to: z.string().nullable(),
  pool_hits: z.number(),
});

export type StatusReport = Awaited<ReturnType<typeof readStatus>>;

/** Wallets, accounts by state, slots, instances and the last sweep, as the journal has them. Ages in seconds. */
export async function readStatus(db: Db) {
  const [total, accounts, deliveredBy, slotsOut, instances] = [
    await queryOne(
      db,
      totals,
      `select
         (select count(*) from public.wallet where auth_id is not null) as wallets,
         (select count(*) from public.wallet where auth_id is not null and flow_address is not null) as ready,
         (select count(*) from wallet_sync.waiting) as waiting,
         (select count(*) from wallet_sync.user_state where state = 'corrupted') as corrupted,
         (select count(*) from wallet_sync.user_state where state = 'orphaned') as orphaned,
         (select count(*) from wallet_sync.apart) as apart,
         (select extract(epoch from clock_timestamp() - min(created_at))::double precision from wallet_sync.waiting) as oldest_waiting_s,
         (select count(*) from wallet_sync.transaction where state = 'live') as live_transactions,
         (select extract(epoch from clock_timestamp() - min(created_at))::double precision from wallet_sync.transaction where state = 'live') as oldest_transaction_s,
         (select count(*) from wallet_sync.slot where role = 'funder') as slots,
         (select count(*) from wallet_sync.slot where role = 'funder' and leased_by is null and out_of_rotation is null) as slots_free,
         (select paused from wallet_sync.control) as paused,
         (select max(id) from wallet_sync.master_key where state = 'next' or (state = 'current' and exists (select from wallet_sync.master_key where state = 'retiring'))) as rotating_to,
         (select count(*) from wallet_sync.account where pool_hit) as pool_hits`,
    ),
    await queryRows(db, accountCount, 'select state::text, count(*) as accounts from wallet_sync.account group by state order by state'),
    await queryRows(db, delivered, "select coalesce(delivered_by, 'not known') as source, count(*) as users from wallet_sync.account where state = 'assigned' group by 1 order by 1"),
    await queryRows(db, slotOut, 'select address, key_index, out_of_rotation as reason from wallet_sync.slot where out_of_rotation is not null order by 1, 2'),
    await livingInstances(db),
  ];
  return {
    ...total,
    last_cycle: await lastCycle(db),
    webhooks: await readWebhooks(db),
    limits: (await readStanding(db)).map(standingToJson),
    accounts: Object.fromEntries(accounts.map((row) => [row.state, row.accounts])),
    delivered_by: Object.fromEntries(deliveredBy.map((row) => [row.source, row.users])),
    slots_out: slotsOut.map(({ address, key_index, reason }) => ({ slot: `${address}/${key_index}`, reason })),
    instances: instances.map(({ id, host, pid, statistics }) => ({ id, host, pid, sources: statistics.sources, access_node: statistics.accessNode, last_error: statistics.lastError })),
  };
}

import { z } from 'zod';
import { INSTANCE_LEASE_MS } from './instances.js';
import { queryRows, type Db } from './pool.js';

const errorKindRow = z.object({
  what: z.enum(['account', 'wallet', 'user', 'transaction', 'instance']),
  kind: z.string(),
  count: z.number(),
  last_at: z.date().nullable(),
  message: z.string().nullable(),
  solution: z.string().nullable(),
});

/** What went wrong with one sort of thing in one way: how often, when last, and what the last one said. */
export type ErrorKindCount = z.output<typeof errorKindRow>;

/**
 * By thing and kind: failed accounts, wallets set apart, corrupted users, transactions that failed or were given up within a day, and the
 * living instances' last errors. The newest first.
 */
export async function readErrorKinds(db: Db): Promise<ErrorKindCount[]> {
  return queryRows(
    db,
    errorKindRow,
    `select * from (
       select 'account' as what, coalesce(a.error_kind, 'internal') as kind, count(*) as count,
         max((select max(h.at) from wallet_sync.account_history h where h.account_id = a.id and h.to_state = 'failed')) as last_at,
         (array_agg(a.error order by a.id desc))[1] as message, (array_agg(a.solution order by a.id desc))[1] as solution
       from wallet_sync.account a where a.state = 'failed' group by 2
       union all
       select 'wallet', 'set apart from its ' || work, count(*), max(since), (array_agg(reason order by since desc))[1], null
       from wallet_sync.apart group by 2
       union all
       select 'user', 'corrupted', count(*), max(since), (array_agg(reason order by since desc))[1], (array_agg(solution order by since desc))[1]
       from wallet_sync.user_state where state = 'corrupted' having count(*) > 0
       union all
       select 'transaction', coalesce(error_kind, state::text), count(*), max(settled_at), (array_agg(error order by settled_at desc))[1], null
       from (
         select state, error_kind, error, settled_at from wallet_sync.transaction where state = 'failed' and settled_at > clock_timestamp() - interval '1 day'
         union all
         select state, error_kind, error, settled_at from wallet_sync.transaction where state = 'given_up' and settled_at > clock_timestamp() - interval '1 day') t
       group by 2
       union all
       select 'instance', statistics -> 'lastError' ->> 'kind', count(*), max((statistics -> 'lastError' ->> 'at')::timestamptz),
         (array_agg(statistics -> 'lastError' ->> 'message' order by statistics -> 'lastError' ->> 'at' desc))[1], null
       from wallet_sync.instance
       where statistics -> 'lastError' ->> 'kind' is not null and stopped_at is null and seen_at > clock_timestamp() - make_interval(secs => $1::double precision / 1000)
       group by 2) kinds
     order by last_at desc nulls last`,
    [INSTANCE_LEASE_MS],
  );
}

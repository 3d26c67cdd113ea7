import { z } from 'zod';
import { queryOne, queryRows, type Db } from './pool.js';

/** What only the process knows of its minute. */
export interface ProcessMinute {
  readonly instanceId: string;
  /** That looked at wallets. */
  readonly scripts: number;
  readonly rssBytes: number;
  /** Of one core. */
  readonly cpuRatio: number;
  readonly eventLoopLagMs: number;
}

export interface MinuteRequest extends ProcessMinute {
  /** The last whole minute, or, at the end of a process, the one that has begun. */
  readonly which: 'last' | 'current';
  /** No wallet with this id or a lower one was made within the minute. */
  readonly afterWalletId: number;
}

/**
 * Records a minute of this instance; repeated, it replaces what it recorded. The database's clock says which minute. What all instances see
 * alike (who signed up, became ready and how fast, what sealed) is counted from the rows, so that no event lost by a crash is missing.
 */
export async function recordMinute(db: Db, request: MinuteRequest): Promise<void> {
  const { minute } = await queryOne(
    db,
    z.object({ minute: z.date() }),
    "select date_trunc('minute', clock_timestamp()) - case when $1 then interval '1 minute' else interval '0' end as minute",
    [request.which === 'last'],
  );
  await db.query(
    `insert into wallet_sync.history
       (minute, instance, sign_ups, ready, p50_ms, p99_ms, waiting, free, transactions_sealed, transactions_failed, db_connections, scripts, rss_bytes, cpu_ratio, event_loop_lag_ms)
     select $1, $2,
       (select count(*) from public.wallet where id > $3 and created_at >= $1 and created_at < $1 + interval '1 minute'),
       given.ready, given.percentiles[1], given.percentiles[2],
       (select count(*) from wallet_sync.waiting),
       (select count(*) from wallet_sync.account where state = 'free'),
       ended.sealed, ended.failed,
       (select count(*) from pg_stat_activity where datname = current_database() and usename = current_user),
       $4, $5, $6, $7
     from (
       select count(*) as ready,
         percentile_cont(array[0.5, 0.99]) within group (order by extract(epoch from a.assigned_at - w.created_at)::double precision * 1000) as percentiles
       from wallet_sync.account a left join public.wallet w on w.auth_id = a.auth_id
       where a.assigned_at >= $1 and a.assigned_at < $1 + interval '1 minute'
     ) given, (
       -- Each state and kind is a range of the index.
       select count(*) filter (where state = 'sealed') as sealed, count(*) filter (where state <> 'sealed') as failed
       from wallet_sync.transaction
       where state in ('sealed', 'failed', 'given_up') and kind in ('create', 'fund', 'repair', 'add-keys') and settled_at >= $1 and settled_at < $1 + interval '1 minute'
     ) ended
     on conflict (minute, instance) do update set
       recorded_at = clock_timestamp(), sign_ups = excluded.sign_ups, ready = excluded.ready, p50_ms = excluded.p50_ms, p99_ms = excluded.p99_ms,
       waiting = excluded.waiting, free = excluded.free, transactions_sealed = excluded.transactions_sealed, transactions_failed = excluded.transactions_failed,
       db_connections = excluded.db_connections, scripts = excluded.scripts, rss_bytes = excluded.rss_bytes, cpu_ratio = excluded.cpu_ratio,
       event_loop_lag_ms = excluded.event_loop_lag_ms`,
    [minute, request.instanceId, request.afterWalletId, request.scripts, Math.round(request.rssBytes), request.cpuRatio, request.eventLoopLagMs],
  );
}

/** The highest id in public.wallet; 0 before the first. One look into its index. */
export async function lastWalletId(db: Db): Promise<number> {
  return (await queryOne(db, z.object({ id: z.number() }), 'select coalesce((select id from public.wallet order by id desc limit 1), 0)::bigint as id')).id;
}

const sampleRow = z.object({
  at: z.date().transform((at) => at.toISOString()),
  sign_ups: z.number(),
  ready: z.number(),
  /** From a wallet's row to its account; null where nobody became ready. */
  p50_ms: z.number().nullable(),
  p99_ms: z.number().nullable(),
  /** At the minute's end. */
  waiting: z.number(),
  free: z.number(),
  transactions_sealed: z.number(),
  transactions_failed: z.number(),
  scripts: z.number(),
  rss_bytes: z.number(),
  cpu_ratio: z.number(),
  event_loop_lag_ms: z.number(),
  db_connections: z.number(),
});

/** A minute of the whole service. */
export type HistorySample = z.output<typeof sampleRow>;

/**
 * The last so many minutes, the oldest first; those that no instance recorded are left out. What is the database's is the fullest that an
 * instance saw (one that ended within the minute saw less of it); what is the processes' own is added, but for the worst lag.
 */
export async function readHistory(db: Db, options: { readonly minutes: number }): Promise<HistorySample[]> {
  return queryRows(
    db,
    sampleRow,
    `select minute as at, max(sign_ups) as sign_ups, max(ready) as ready,
       (array_agg(p50_ms order by recorded_at desc))[1] as p50_ms, (array_agg(p99_ms order by recorded_at desc))[1] as p99_ms,
       (array_agg(waiting order by recorded_at desc))[1] as waiting, (array_agg(free order by recorded_at desc))[1] as free,
       max(transactions_sealed) as transactions_sealed, max(transactions_failed) as transactions_failed,
       sum(scripts)::bigint as scripts, sum(rss_bytes)::bigint as rss_bytes, sum(cpu_ratio) as cpu_ratio,
       max(event_loop_lag_ms) as event_loop_lag_ms, max(db_connections) as db_connections
     from wallet_sync.history
     where minute > clock_timestamp() - make_interval(mins => $1)
     group by minute order by minute`,
    [options.minutes],
  );
}
